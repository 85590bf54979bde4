"use client";

import { useMemo } from "react";
import { State } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { RowName } from "@/components/ui/row-name";
import { Answer, Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { useMay } from "@/features/session/session";
import { bytes } from "@/lib/bytes";
import { decimal } from "@/lib/format";
import { useRates } from "@/lib/rates";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { type ServerPage, useServers } from "./asked";
import { Connections } from "./connections";
import { hostOf, number, text } from "./pages";
import { Server } from "./server";
import { NATS } from "./words";

/** The servers that the management service knows, whether they answer, and who is connected to them. */
export function Servers() {
  const say = useWords(NATS);
  const mayLook = useMay("operator");
  const servers = useServers();
  const [asked, choose] = useUrlState("server");
  const known = servers.data ?? [];
  const chosen = known.find((one) => hostOf(one.address) === asked) ?? known.find((one) => one.answers);
  return (
    <>
      <Answer of={servers}>
        {(rows) =>
          rows.length ? (
            <>
              {(rows.length > 1 || !chosen) && (
                <Panel title={say("servers")} note={say("answering", { count: rows.filter((one) => one.answers).length, all: rows.length })}>
                  <ServerTable rows={rows} selected={chosen?.address} onOpen={(row) => choose(hostOf(row.address))} />
                </Panel>
              )}
              {chosen?.answers && <Server key={chosen.address} page={chosen.page} />}
            </>
          ) : (
            <Panel title={say("servers")}>
              <Empty>{say("notConfigured")}</Empty>
            </Panel>
          )
        }
      </Answer>
      {known.length > 0 && (mayLook ? <Connections /> : <p className="text-xs text-faint">{say("mayNot")}</p>)}
    </>
  );
}

function ServerTable({ rows, selected, onOpen }: { rows: ServerPage[]; selected: string | undefined; onOpen: (row: ServerPage) => void }) {
  const say = useWords(NATS);
  const topic = useMemo(() => ({ rows: new Map(rows.filter((one) => one.answers).map((one) => [one.address, one])) }), [rows]);
  const coming = useRates(topic, (one) => number(one.page, "in_msgs") ?? 0);
  const going = useRates(topic, (one) => number(one.page, "out_msgs") ?? 0);
  const figure = (row: ServerPage, ...path: string[]) => number(row.page, ...path);
  const columns: Column<ServerPage>[] = [
    { key: "name", title: say("name"), cell: (row) => <RowName of={text(row.page, "server_name") || hostOf(row.address)} />, sort: (row) => text(row.page, "server_name") },
    { key: "state", title: say("state"), width: "128px", cell: (row) => <State health={row.answers ? "well" : "bad"}>{say(row.answers ? "answers" : "silent")}</State>, sort: (row) => (row.answers ? 1 : 0) },
    { key: "version", title: say("version"), width: "84px", from: "md", cell: (row) => <span className="figure text-soft">{text(row.page, "version") || "–"}</span> },
    { key: "connections", title: say("connections"), right: true, width: "96px", cell: (row) => decimal(figure(row, "connections"), 0), sort: (row) => figure(row, "connections") ?? 0 },
    { key: "in", title: say("inMessages"), right: true, width: "76px", from: "sm", cell: (row) => decimal(coming.get(row.address), 0), sort: (row) => coming.get(row.address) ?? 0 },
    { key: "out", title: say("outMessages"), right: true, width: "76px", from: "sm", cell: (row) => decimal(going.get(row.address), 0), sort: (row) => going.get(row.address) ?? 0 },
    { key: "slow", title: say("slow"), right: true, width: "112px", from: "lg", cell: (row) => <span className={figure(row, "slow_consumers") ? "text-warn" : "text-faint"}>{decimal(figure(row, "slow_consumers"), 0)}</span>, sort: (row) => figure(row, "slow_consumers") ?? 0 },
    { key: "cpu", title: say("cpu"), right: true, width: "72px", from: "md", cell: (row) => (row.answers ? `${decimal(figure(row, "cpu"), 1)} %` : "–"), sort: (row) => figure(row, "cpu") ?? 0 },
    { key: "memory", title: say("memory"), right: true, width: "84px", from: "lg", cell: (row) => (row.answers ? bytes(figure(row, "mem") ?? 0) : "–"), sort: (row) => figure(row, "mem") ?? 0 },
  ];
  return <Table name="servers" label={say("servers")} columns={columns} rows={rows} rowKey={(row) => row.address} selected={selected} onOpen={onOpen} empty={say("notConfigured")} height="300px" />;
}
