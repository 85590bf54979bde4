"use client";

import Link from "next/link";
import { State } from "@/components/ui/badge";
import { cx } from "@/components/ui/cx";
import { INSTANCE_HEALTH, type FleetRow, needsALook } from "@/features/instances/fleet";
import { instanceAt } from "@/features/instances/fleet-table";
import { STATUS } from "@/features/instances/words";
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

/** Services that are defined and of which nobody lives; those that were lost while this tab looked are in the fleet. */
export function absentOf(defined: readonly { name: string }[], fleet: readonly FleetRow[]): string[] {
  const there = new Set(fleet.map((row) => row.service));
  return defined.map((one) => one.name).filter((name) => !there.has(name));
}

/** Each service with its instances as squares, a thousand at one look, and those of which nobody lives. The table beside it says the same in words. */
export function FleetMap({ fleet, absent }: { fleet: FleetRow[]; absent: string[] }) {
  const say = useWords(OVERVIEW);
  const sayStatus = useWords(STATUS);
  const services = Map.groupBy(fleet, (row) => row.service);
  const names = [...services.keys()].sort();
  return (
    <ul className="py-1">
      {absent.map((service) => (
        <li key={service} className="grid min-h-7 grid-cols-[112px_minmax(0,1fr)_auto] items-center gap-3 px-3 py-1 text-xs">
          <Link href={to("/service", { name: service })} aria-label={say("openService", { service })} title={service} className="truncate hover:text-accent">
            {service}
          </Link>
          <State health="bad">{say("noInstance")}</State>
          <span className="figure text-bad">0</span>
        </li>
      ))}
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
                <Link key={row.id} href={instanceAt(row)} prefetch={false} tabIndex={-1} title={`${row.instance} · ${sayStatus(row.shown)}`} className={cx("size-[9px] rounded-[1px] hover:outline-2 hover:outline-accent", SQUARES[INSTANCE_HEALTH[row.shown]])} />
              ))}
            </span>
            <span className={cx("figure", troubled ? "text-bad" : "text-faint")}>{troubled ? `${troubled}/${rows.length}` : rows.length}</span>
          </li>
        );
      })}
    </ul>
  );
}
