"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { type Column, Table } from "@/components/ui/table";
import { METRICS } from "@/features/metrics/words";
import type { Schemas } from "@/lib/api/client";
import { decimal, milliseconds, whole } from "@/lib/format";
import { useTopic } from "@/lib/live/hooks";
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
  const sayMetrics = useWords(METRICS);
  const samples = useTopic<Schemas["Sample"]>("metrics").rows;
  const beats = useTopic<Schemas["Beat"]>("beats").rows;
  const age = (row: FleetRow) => (row.lostAt ? undefined : beats.get(row.id)?.age_s);
  const of = (row: FleetRow) => (row.lostAt ? undefined : samples.get(row.id));
  const columns: Column<FleetRow>[] = [
    { key: "status", title: say("status"), width: "106px", cell: (row) => <InstanceStatus of={row.shown} />, sort: (row) => row.shown },
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
    { key: "keys", title: say("keys"), right: true, width: "52px", from: "lg", cell: (row) => Object.keys(row.keys).length || <span className="text-faint">–</span>, sort: (row) => -Object.keys(row.keys).length },
    { key: "rate", title: sayMetrics("rate"), right: true, width: "68px", from: "sm", cell: (row) => figure(of(row)?.calls_per_s, (value) => decimal(value, value < 100 ? 1 : 0)), sort: (row) => -(of(row)?.calls_per_s ?? -1) },
    { key: "p50", title: sayMetrics("p50"), right: true, width: "72px", from: "lg", cell: (row) => figure(of(row)?.p50_ms, milliseconds), sort: (row) => -(of(row)?.p50_ms ?? -1) },
    { key: "p99", title: sayMetrics("p99"), right: true, width: "72px", from: "md", cell: (row) => figure(of(row)?.p99_ms, milliseconds), sort: (row) => -(of(row)?.p99_ms ?? -1) },
    { key: "errors", title: sayMetrics("errors"), right: true, width: "68px", from: "md", cell: (row) => figure(of(row)?.errors_per_s, (value) => decimal(value, 1), "text-bad"), sort: (row) => -(of(row)?.errors_per_s ?? -1) },
    { key: "queue", title: sayMetrics("waits"), right: true, width: "60px", from: "lg", cell: (row) => figure(of(row)?.waiting, whole, "text-warn"), sort: (row) => -(of(row)?.waiting ?? -1) },
    { key: "version", title: say("version"), from: "lg", width: "76px", cell: (row) => <span className="figure text-soft" title={row.version}>{row.version}</span>, sort: (row) => row.version },
    { key: "zone", title: say("zone"), from: "xl", width: "88px", cell: (row) => <span className="text-soft" title={row.zone}>{row.zone || "–"}</span>, sort: (row) => row.zone },
    { key: "beat", title: say("beat"), right: true, width: "76px", from: "lg", cell: (row) => figure(age(row), (value) => duration(value * 1_000)), sort: (row) => -(age(row) ?? -1) },
    {
      key: "up",
      title: say("up"),
      right: true,
      width: "92px",
      cell: (row) => {
        if (!now) return "";
        return row.lostAt ? <span className="text-bad">{say("ago", { age: duration(now - row.lostAt) })}</span> : duration(now - Date.parse(row.started_at));
      },
      sort: (row) => -Date.parse(row.started_at),
    },
  ];
  return <Table name={name} label={say("table")} columns={columns} rows={rows} rowKey={(row) => row.id} onOpen={(row) => router.push(instanceAt(row))} empty={empty ?? say("none")} height={height} />;
}

/** A figure of the latest sample: faint where it is none, and in a colour of its own where it is not 0. */
function figure(value: number | null | undefined, inWords: (value: number) => string, tone = "") {
  if (value === null || value === undefined) return <span className="text-faint">–</span>;
  return <span className={value ? tone : "text-faint"}>{inWords(value)}</span>;
}
