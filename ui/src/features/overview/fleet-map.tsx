"use client";

import Link from "next/link";
import { cx } from "@/components/ui/cx";
import { INSTANCE_HEALTH, type FleetRow, needsALook } from "@/features/instances/fleet";
import { instanceAt } from "@/features/instances/fleet-table";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import { OVERVIEW } from "./words";

const SQUARES = {
  well: "bg-well/70",
  idle: "border border-well/70",
  moving: "bg-accent",
  warn: "bg-warn",
  bad: "bg-bad",
} as const;

/** Each service with its instances as squares: a thousand at one look. The table beside it says the same in words. */
export function FleetMap({ fleet }: { fleet: FleetRow[] }) {
  const say = useWords(OVERVIEW);
  const services = Map.groupBy(fleet, (row) => row.service);
  const names = [...services.keys()].sort();
  return (
    <ul className="py-1">
      {names.map((service) => {
        const rows = services.get(service)!;
        const troubled = rows.filter(needsALook).length;
        return (
          <li key={service} className="grid min-h-7 grid-cols-[112px_minmax(0,1fr)_auto] items-center gap-3 px-3 py-1 text-xs">
            <Link href={to("/service", { name: service })} aria-label={say("openService", { service })} title={service} className="truncate hover:text-accent">
              {service}
            </Link>
            <span aria-hidden="true" className="flex flex-wrap gap-[3px]">
              {rows.map((row) => (
                <Link key={row.id} href={instanceAt(row)} prefetch={false} tabIndex={-1} title={`${row.instance} · ${row.shown}`} className={cx("size-[9px] rounded-[1px] hover:outline-2 hover:outline-accent", SQUARES[INSTANCE_HEALTH[row.shown]])} />
              ))}
            </span>
            <span className={cx("figure", troubled ? "text-bad" : "text-faint")}>{troubled ? `${troubled}/${rows.length}` : rows.length}</span>
          </li>
        );
      })}
    </ul>
  );
}
