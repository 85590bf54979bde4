"use client";

import { useMemo } from "react";
import { Filter } from "@/components/ui/field";
import { Fact, Facts, Figure, Figures, Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { useMay } from "@/features/session/session";
import { bytes } from "@/lib/bytes";
import { decimal, milliseconds, whole } from "@/lib/format";
import { useRates } from "@/lib/rates";
import { duration, useNow } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { type Page, useConnections, useServer } from "./asked";
import { type Connection, connectionsOf, number, text } from "./pages";
import { NATS } from "./words";

/** The server that the management service knows, and who is connected to it. */
export function Server() {
  const say = useWords(NATS);
  const mayLook = useMay("operator");
  const server = useServer();
  const isConfigured = server.data?.configured === true;
  return (
    <>
      <Answer of={server}>
        {({ configured, page }) =>
          configured ? (
            <Shown page={page} />
          ) : (
            <Panel title={say("server")}>
              <Empty>{say("notConfigured")}</Empty>
            </Panel>
          )
        }
      </Answer>
      {isConfigured && (mayLook ? <Connections /> : <p className="text-xs text-faint">{say("mayNot")}</p>)}
    </>
  );
}

function Shown({ page }: { page: Page }) {
  const say = useWords(NATS);
  const now = useNow();
  const topic = useMemo(
    () => ({
      rows: new Map([
        ["in", number(page, "in_msgs") ?? 0],
        ["out", number(page, "out_msgs") ?? 0],
      ]),
    }),
    [page],
  );
  const rates = useRates(topic, (count) => count);
  const slow = number(page, "slow_consumers") ?? 0;
  const cluster = text(page, "cluster", "name");
  const figure = (...path: string[]) => number(page, ...path) ?? 0;
  return (
    <>
      <Figures>
        <Figure label={say("connections")} value={whole(figure("connections"))} />
        <Figure label={say("inMessages")} value={rates.has("in") ? whole(rates.get("in")!) : "–"} />
        <Figure label={say("outMessages")} value={rates.has("out") ? whole(rates.get("out")!) : "–"} />
        <Figure label={say("slow")} value={whole(slow)} tone={slow ? "warn" : "plain"} />
        <Figure label={say("cpu")} value={`${decimal(figure("cpu"), 1)} %`} note={say("cores", { count: figure("cores") })} />
        <Figure label={say("memory")} value={bytes(figure("mem"))} />
        <Figure label={say("storage")} value={bytes(figure("jetstream", "stats", "storage"))} note={say("ofBound", { bound: bytes(figure("jetstream", "config", "max_storage")) })} />
      </Figures>
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-2">
        <Panel title={say("server")}>
          <Facts>
            <Fact label={say("name")}>
              <span className="figure">{text(page, "server_name")}</span>
            </Fact>
            <Fact label={say("version")}>
              <span className="figure">{text(page, "version")}</span>
            </Fact>
            <Fact label={say("address")}>
              <span className="figure">{`${text(page, "host")}:${figure("port")}`}</span>
            </Fact>
            <Fact label={say("up")}>
              <span className="figure">{now && text(page, "start") ? duration(now - Date.parse(text(page, "start"))) : "–"}</span>
            </Fact>
            <Fact label={say("cluster")}>{cluster ? <span className="figure">{cluster}</span> : say("alone")}</Fact>
            {cluster && (
              <Fact label={say("routes")}>
                <span className="figure">{whole(figure("routes"))}</span>
              </Fact>
            )}
          </Facts>
        </Panel>
        <Panel title={say("stores")}>
          <Facts>
            <Fact label={say("stored")}>
              <span className="figure">
                {bytes(figure("jetstream", "stats", "memory"))} {say("ofBound", { bound: bytes(figure("jetstream", "config", "max_memory")) })}
              </span>
            </Fact>
            <Fact label={say("apiRequests")}>
              <span className="figure">{whole(figure("jetstream", "stats", "api", "total"))}</span>
            </Fact>
            <Fact label={say("apiErrors")}>
              <span className="figure">{whole(figure("jetstream", "stats", "api", "errors"))}</span>
            </Fact>
            <Fact label={say("subscriptions")}>
              <span className="figure">{whole(figure("subscriptions"))}</span>
            </Fact>
            <Fact label={say("largest")}>
              <span className="figure">{bytes(figure("max_payload"))}</span>
            </Fact>
          </Facts>
        </Panel>
      </div>
    </>
  );
}

function Connections() {
  const say = useWords(NATS);
  const asked = useConnections(true);
  const [filter, setFilter] = useUrlState("filter");
  const page = asked.data?.page;
  const { connections, all } = useMemo(() => connectionsOf(page ?? {}), [page]);
  const shown = connections.filter((one) => `${one.name} ${one.user} ${one.client} ${one.address}`.toLowerCase().includes(filter.toLowerCase()));
  const note = connections.length < all ? say("cut", { shown: connections.length, all }) : connections.length;
  return (
    <Panel title={say("connections")} note={page && note} actions={<Filter label={say("filter")} value={filter} onChange={setFilter} className="w-36! sm:w-52!" />}>
      <Answer of={asked}>{() => <ConnectionTable rows={shown} empty={say(connections.length ? "noMatch" : "noConnections")} />}</Answer>
    </Panel>
  );
}

function ConnectionTable({ rows, empty }: { rows: Connection[]; empty: string }) {
  const say = useWords(NATS);
  const now = useNow();
  const topic = useMemo(() => ({ rows: new Map(rows.map((one) => [one.id, one])) }), [rows]);
  const coming = useRates(topic, (one) => one.inMessages);
  const going = useRates(topic, (one) => one.outMessages);
  const columns: Column<Connection>[] = [
    { key: "name", title: say("name"), cell: (row) => <span className="font-medium" title={row.name}>{row.name || "–"}</span>, sort: (row) => row.name },
    { key: "user", title: say("user"), width: "88px", from: "md", cell: (row) => <span className="text-soft" title={row.user}>{row.user || "–"}</span>, sort: (row) => row.user },
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
