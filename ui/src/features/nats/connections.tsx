"use client";

import { useMemo } from "react";
import { Filter } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { bytes } from "@/lib/bytes";
import { decimal, milliseconds, whole } from "@/lib/format";
import { useRates } from "@/lib/rates";
import { duration, useNow } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { useConnections } from "./asked";
import { type Connection, connectionsOf } from "./pages";
import { NATS } from "./words";

/** Who is connected, to whichever server. */
export function Connections() {
  const say = useWords(NATS);
  const asked = useConnections();
  const [filter, setFilter] = useUrlState("filter");
  const pages = asked.data;
  const { connections, all } = useMemo(() => connectionsOf(pages ?? []), [pages]);
  const shown = connections.filter((one) => `${one.name} ${one.user} ${one.client} ${one.address} ${one.server}`.toLowerCase().includes(filter.toLowerCase()));
  const note = connections.length < all ? say("cut", { shown: connections.length, all }) : connections.length;
  return (
    <Panel title={say("connections")} note={pages && note} actions={<Filter label={say("filter")} value={filter} onChange={setFilter} className="w-36! sm:w-52!" />}>
      <Answer of={asked}>{() => <ConnectionTable rows={shown} withServer={(pages?.length ?? 0) > 1} empty={say(connections.length ? "noMatch" : "noConnections")} />}</Answer>
    </Panel>
  );
}

function ConnectionTable({ rows, withServer, empty }: { rows: Connection[]; withServer: boolean; empty: string }) {
  const say = useWords(NATS);
  const now = useNow();
  const topic = useMemo(() => ({ rows: new Map(rows.map((one) => [one.id, one])) }), [rows]);
  const coming = useRates(topic, (one) => one.inMessages);
  const going = useRates(topic, (one) => one.outMessages);
  const columns: Column<Connection>[] = [
    { key: "name", title: say("name"), cell: (row) => <span className="figure font-medium" title={row.name}>{row.name || "–"}</span>, sort: (row) => row.name },
    { key: "user", title: say("user"), width: "88px", from: "md", cell: (row) => <span className="text-soft" title={row.user}>{row.user || "–"}</span>, sort: (row) => row.user },
    ...(withServer ? [{ key: "server", title: say("server"), width: "88px", from: "md" as const, cell: (row: Connection) => <span className="figure text-soft" title={row.server}>{row.server}</span>, sort: (row: Connection) => row.server }] : []),
    { key: "client", title: say("client"), width: "132px", from: "xl", cell: (row) => <span className="figure text-soft" title={row.client}>{row.client}</span>, sort: (row) => row.client },
    { key: "address", title: say("address"), width: "152px", from: "lg", cell: (row) => <span className="figure text-soft" title={row.address}>{row.address}</span>, sort: (row) => row.address },
    { key: "in", title: say("inMessages"), right: true, width: "72px", cell: (row) => decimal(coming.get(row.id), 0), sort: (row) => coming.get(row.id) ?? 0 },
    { key: "out", title: say("outMessages"), right: true, width: "76px", cell: (row) => decimal(going.get(row.id), 0), sort: (row) => going.get(row.id) ?? 0 },
    { key: "pending", title: say("pending"), right: true, width: "84px", from: "sm", cell: (row) => <span className={row.pendingBytes ? "text-warn" : "text-faint"}>{bytes(row.pendingBytes)}</span>, sort: (row) => row.pendingBytes },
    { key: "rtt", title: say("roundTrip"), right: true, width: "88px", from: "md", cell: (row) => milliseconds(row.roundTripMs), sort: (row) => row.roundTripMs ?? 0 },
    { key: "subscriptions", title: say("subscriptions"), right: true, width: "104px", from: "lg", cell: (row) => whole(row.subscriptions), sort: (row) => row.subscriptions },
    { key: "up", title: say("up"), right: true, width: "92px", from: "xl", cell: (row) => (now && row.since ? duration(now - Date.parse(row.since)) : "–"), sort: (row) => -Date.parse(row.since) },
  ];
  return <Table name="connections" label={say("connections")} columns={columns} rows={rows} rowKey={(row) => row.id} empty={empty} height="max(280px, calc(100dvh - 460px))" />;
}
