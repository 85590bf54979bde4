"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { State } from "@/components/ui/badge";
import { type Column, Table } from "@/components/ui/table";
import { STATUS } from "@/features/instances/words";
import type { Lease } from "@/lib/api/client";
import { milliseconds } from "@/lib/format";
import { duration, useNow } from "@/lib/time";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import { isHeld, KEY_HEALTH } from "./health";
import { LEASES } from "./words";

export function leaseAt({ service, key }: { service: string; key: string }): string {
  return to("/leases", { service, key });
}

/** Keys, one a row, each with its service, for many have the same name. Of one service or instance that is left out. */
export function LeaseTable({ name, rows, without, selected, empty, height }: { name: string; rows: Lease[]; without?: "service" | "holder"; selected?: string; empty?: string; height?: string }) {
  const say = useWords(LEASES);
  const sayStatus = useWords(STATUS);
  const router = useRouter();
  const now = useNow();
  const columns: Column<Lease>[] = [
    { key: "state", title: say("state"), width: "98px", cell: (row) => <State health={KEY_HEALTH[row.state]}>{sayStatus(row.state)}</State>, sort: (row) => row.state },
    {
      key: "key",
      title: say("key"),
      cell: (row) => (
        <Link href={leaseAt(row)} title={`${row.service} / ${row.key}`} className="hover:text-accent" onClick={(event) => event.stopPropagation()}>
          {without !== "service" && <span className="text-soft">{`${row.service} / `}</span>}
          <span className="font-medium">{row.key}</span>
        </Link>
      ),
      sort: (row) => (without === "service" ? row.key : `${row.service} / ${row.key}`),
    },
    { key: "holder", title: say("holder"), cell: (row) => (row.holder ? <span title={row.holder}>{row.holder}</span> : <span className="text-bad">{say("nobody")}</span>), sort: (row) => row.holder ?? "" },
    { key: "epoch", title: say("epoch"), right: true, width: "68px", from: "sm", cell: (row) => row.epoch ?? "–", sort: (row) => row.epoch ?? 0 },
    { key: "gap", title: say("gap"), right: true, width: "88px", from: "md", cell: (row) => milliseconds(row.gap_ms), sort: (row) => -(row.gap_ms ?? 0) },
    { key: "held", title: say("held"), right: true, width: "96px", from: "sm", cell: (row) => <HeldFor of={row} now={now} />, sort: (row) => (isHeld(row) ? -Date.parse(row.since) : -Infinity) },
  ];
  return (
    <Table
      name={name}
      label={say("table")}
      columns={columns.filter((column) => column.key !== without)}
      rows={rows}
      rowKey={(row) => `${row.service}.${row.key}`}
      onOpen={(row) => router.push(leaseAt(row))}
      selected={selected}
      empty={empty ?? say("none")}
      height={height}
    />
  );
}

function HeldFor({ of, now }: { of: Lease; now: number }) {
  if (!isHeld(of)) return <span className="text-faint">–</span>;
  return now ? duration(now - Date.parse(of.since)) : "";
}
