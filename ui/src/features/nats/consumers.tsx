"use client";

import { useRouter } from "next/navigation";
import { Filter } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Loading } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { RowName } from "@/components/ui/row-name";
import { whole } from "@/lib/format";
import { to, useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { type Consumer, useConsumers } from "./asked";
import { NATS } from "./words";

const MUCH = 1_000;

/** How many messages somebody has not got yet; undefined where nobody consumes. */
export function Lag({ of }: { of: number | undefined }) {
  if (of === undefined) return <span className="text-faint">–</span>;
  return <span className={of >= MUCH ? "font-medium text-warn" : of ? "" : "text-faint"}>{whole(of)}</span>;
}

/** The consumers of all streams, those that lag most first. */
export function AllConsumers() {
  const say = useWords(NATS);
  const { consumers, isWhole } = useConsumers();
  const [text, setText] = useUrlState("filter");
  const shown = consumers.filter((one) => `${one.stream} ${one.name} ${one.filters.join(" ")}`.toLowerCase().includes(text.toLowerCase()));
  return (
    <Panel title={say("consumers")} note={isWhole ? consumers.length : undefined} actions={<Filter label={say("filter")} value={text} onChange={setText} className="w-36! sm:w-52!" />}>
      {isWhole ? <ConsumerTable name="consumers" rows={shown} empty={say(consumers.length ? "noMatch" : "noneAtAll")} /> : <Loading />}
    </Panel>
  );
}

export function ConsumerTable({ name, rows, withStream = true, empty, height }: { name: string; rows: Consumer[]; withStream?: boolean; empty: string; height?: string }) {
  const say = useWords(NATS);
  const router = useRouter();
  const open = (row: Consumer) => router.push(to("/nats", { stream: row.stream, kind: "all" }));
  const columns: Column<Consumer>[] = [
    { key: "name", title: say("consumer"), cell: (row) => (withStream ? <RowName of={row.name} className="figure" /> : <span className="figure font-medium" title={row.name}>{row.name}</span>), sort: (row) => row.name },
    ...(withStream ? [{ key: "stream", title: say("stream"), width: "20%", from: "sm" as const, cell: (row: Consumer) => <span title={row.stream} className="figure">{row.stream}</span>, sort: (row: Consumer) => row.stream }] : []),
    { key: "lag", title: say("lag"), right: true, width: "72px", cell: (row) => <Lag of={row.lag} />, sort: (row) => row.lag },
    { key: "unacknowledged", title: say("unacknowledged"), right: true, width: "118px", from: "md", cell: (row) => row.unacknowledged || <span className="text-faint">0</span>, sort: (row) => row.unacknowledged },
    { key: "redelivered", title: say("redelivered"), right: true, width: "68px", from: "lg", cell: (row) => <span className={row.redelivered ? "text-warn" : "text-faint"}>{whole(row.redelivered)}</span>, sort: (row) => row.redelivered },
    { key: "delivered", title: say("delivered"), right: true, width: "96px", from: "md", cell: (row) => whole(row.delivered), sort: (row) => row.delivered },
    { key: "durable", title: say("kind"), width: "92px", from: "xl", cell: (row) => <span className="text-soft">{say(row.durable ? "durable" : "ephemeral")}</span>, sort: (row) => String(row.durable) },
    { key: "filters", title: say("filters"), from: "lg", cell: (row) => <span className="figure text-soft" title={row.filters.join(", ")}>{row.filters.join(", ") || say("everything")}</span> },
  ];
  return <Table name={name} label={say("consumers")} columns={columns} rows={rows} rowKey={(row) => `${row.stream}/${row.name}`} onOpen={withStream ? open : undefined} empty={empty} height={height} />;
}
