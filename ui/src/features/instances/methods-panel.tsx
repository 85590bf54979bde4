"use client";

import { useMemo } from "react";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { Loading } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { decimal, milliseconds } from "@/lib/format";
import { useRows } from "@/lib/live/hooks";
import { useWords } from "@/lib/words";
import { type MethodRow, methodsOf, type Sample } from "./methods";
import { INSTANCES } from "./words";

export function MethodsPanel({ service, defined }: { service: string; defined: readonly string[] }) {
  const say = useWords(INSTANCES);
  const { rows: samples, isWhole } = useRows<Sample>("metrics");
  const rows = useMemo(() => methodsOf(defined, samples.filter((one) => one.service === service)), [defined, samples, service]);
  const columns: Column<MethodRow>[] = [
    {
      key: "method",
      title: say("method"),
      cell: (row) => (
        <span title={row.name}>
          <span className="figure font-medium">{row.name}</span> {row.isOfActive && <Badge tone="accent">{say("ofActive")}</Badge>}
        </span>
      ),
      sort: (row) => row.name,
    },
    { key: "calls", title: say("calls"), right: true, width: "72px", cell: (row) => <span className={row.calls ? "" : "text-faint"}>{decimal(row.calls, 1)}</span>, sort: (row) => -row.calls },
    { key: "p50", title: "p50", right: true, width: "72px", from: "sm", cell: (row) => milliseconds(row.p50), sort: (row) => -(row.p50 ?? 0) },
    { key: "p99", title: "p99", right: true, width: "72px", cell: (row) => milliseconds(row.p99), sort: (row) => -(row.p99 ?? 0) },
    { key: "errors", title: say("errorRate"), right: true, width: "80px", cell: (row) => <span className={row.errors ? "text-bad" : "text-faint"}>{decimal(row.errors, 1)}</span>, sort: (row) => -row.errors },
  ];
  return (
    <Panel title={say("methods")} note={rows.length}>
      {isWhole ? <Table name="methods" label={say("methods")} columns={columns} rows={rows} rowKey={(row) => row.name} empty={say("noMethods")} height="420px" /> : <Loading rows={4} />}
    </Panel>
  );
}
