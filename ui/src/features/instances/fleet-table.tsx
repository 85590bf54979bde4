"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { type Column, Table } from "@/components/ui/table";
import { duration, useNow } from "@/lib/time";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import type { FleetRow } from "./fleet";
import { InstanceStatus } from "./status";
import { INSTANCES } from "./words";

export function instanceAt(row: { service: string; instance: string }): string {
  return to("/instance", { service: row.service, instance: row.instance });
}

/** Instances, one a row. `name` as that of a table; within one service its column is left out. */
export function FleetTable({ name, rows, withService = true, empty, height }: { name: string; rows: FleetRow[]; withService?: boolean; empty?: string; height?: string }) {
  const say = useWords(INSTANCES);
  const router = useRouter();
  const now = useNow();
  const columns: Column<FleetRow>[] = [
    { key: "status", title: say("status"), width: "92px", cell: (row) => <InstanceStatus of={row.shown} />, sort: (row) => row.shown },
    {
      key: "instance",
      title: say("instance"),
      cell: (row) => (
        <Link href={instanceAt(row)} title={row.instance} className="font-medium hover:text-accent" onClick={(event) => event.stopPropagation()}>
          {row.instance}
        </Link>
      ),
      sort: (row) => row.instance,
    },
    ...(withService ? [{ key: "service", title: say("service"), from: "sm" as const, cell: (row: FleetRow) => <span title={row.service} className="text-soft">{row.service}</span>, sort: (row: FleetRow) => row.service }] : []),
    { key: "keys", title: say("keys"), right: true, width: "52px", cell: (row) => Object.keys(row.keys).length || <span className="text-faint">–</span>, sort: (row) => -Object.keys(row.keys).length },
    { key: "version", title: say("version"), from: "md", width: "88px", cell: (row) => <span title={row.version} className="figure text-soft">{row.version}</span>, sort: (row) => row.version },
    { key: "zone", title: say("zone"), from: "lg", width: "88px", cell: (row) => <span title={row.zone} className="text-soft">{row.zone}</span>, sort: (row) => row.zone },
    {
      key: "up",
      title: say("up"),
      right: true,
      width: "104px",
      cell: (row) => {
        if (!now) return "";
        return row.lostAt ? <span className="text-bad">{say("ago", { age: duration(now - row.lostAt) })}</span> : duration(now - Date.parse(row.started_at));
      },
      sort: (row) => -Date.parse(row.started_at),
    },
  ];
  return <Table name={name} label={say("table")} columns={columns} rows={rows} rowKey={(row) => row.id} onOpen={(row) => router.push(instanceAt(row))} empty={empty ?? say("none")} height={height} />;
}
