"use client";

import { useMemo } from "react";
import { Filter, Segments } from "@/components/ui/field";
import { Fact, Facts, Panel } from "@/components/ui/panel";
import { Answer, Empty, Loading } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { RowName } from "@/components/ui/row-name";
import { bytes } from "@/lib/bytes";
import { decimal, whole } from "@/lib/format";
import { useRates } from "@/lib/rates";
import { duration } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { BUCKET, type Stream, useConsumers, useLags, useStreams } from "./asked";
import { ConsumerTable, Lag } from "./consumers";
import { NATS } from "./words";

type Kind = "all" | "plain" | "buckets";
const NEARLY_FULL = 0.9;

/** All streams with the lag of their slowest consumer; of one its bounds and its consumers. */
export function Streams() {
  const say = useWords(NATS);
  const streams = useStreams();
  const [name] = useUrlState("stream");
  const [text, setText] = useUrlState("filter");
  const [kind, setKind] = useUrlState("kind", "plain");
  const isOf: Record<Kind, (one: Stream) => boolean> = {
    plain: (one) => !one.name.startsWith(BUCKET),
    buckets: (one) => one.name.startsWith(BUCKET),
    all: () => true,
  };
  const count = (of: Kind) => streams.data?.filter(isOf[of]).length;
  const shown = (streams.data ?? []).filter(isOf[kind as Kind] ?? isOf.all).filter((one) => `${one.name} ${one.subjects.join(" ")}`.toLowerCase().includes(text.toLowerCase()));
  const selected = streams.data?.find((one) => one.name === name);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3">
      <Panel
        title={say("streams")}
        className={name ? "max-lg:order-2" : ""}
        actions={
          <>
            <Filter label={say("filter")} value={text} onChange={setText} className="w-36! sm:w-52!" />
            <Segments label={say("kind")} value={kind as Kind} onChange={setKind} options={(["plain", "buckets", "all"] as const).map((value) => ({ value, label: say(value), note: count(value) }))} />
          </>
        }
      >
        <Answer of={streams}>{() => <StreamTable rows={shown} selected={name} empty={say(text ? "noMatch" : "noStreams")} height={name ? "max(280px, calc(100dvh - 560px))" : undefined} />}</Answer>
      </Panel>
      {selected && <StreamDetail of={selected} />}
      {name && streams.data && !selected && (
        <Panel title={name}>
          <Empty>{say("noStream", { stream: name })}</Empty>
        </Panel>
      )}
    </div>
  );
}

function StreamTable({ rows, selected, empty, height }: { rows: Stream[]; selected: string; empty: string; height?: string }) {
  const say = useWords(NATS);
  const [, choose] = useUrlState("stream");
  const { consumers } = useConsumers();
  const lags = useLags(consumers);
  const topic = useMemo(() => ({ rows: new Map(rows.map((one) => [one.name, one])) }), [rows]);
  const rates = useRates(topic, (one) => one.last_sequence);
  const columns: Column<Stream>[] = [
    { key: "name", title: say("stream"), cell: (row) => <RowName of={row.name} className="figure" />, sort: (row) => row.name },
    { key: "subjects", title: say("subjects"), from: "lg", cell: (row) => <span className="figure text-soft" title={row.subjects.join(", ")}>{row.subjects.join(", ")}</span> },
    { key: "lag", title: say("lag"), right: true, width: "76px", cell: (row) => <Lag of={lags.get(row.name)} />, sort: (row) => lags.get(row.name) ?? -1 },
    { key: "rate", title: say("rate"), right: true, width: "84px", cell: (row) => decimal(rates.get(row.name), 1), sort: (row) => rates.get(row.name) ?? 0 },
    { key: "messages", title: say("messages"), right: true, width: "96px", from: "sm", cell: (row) => whole(row.messages), sort: (row) => row.messages },
    { key: "size", title: say("size"), right: true, width: "84px", from: "md", cell: (row) => bytes(row.bytes), sort: (row) => row.bytes },
    { key: "bound", title: say("bound"), width: "116px", from: "lg", cell: (row) => <Fill of={row} />, sort: share },
    { key: "consumers", title: say("consumers"), right: true, width: "88px", from: "md", cell: (row) => row.consumers || <span className="text-faint">–</span>, sort: (row) => row.consumers },
    { key: "replicas", title: say("replicas"), right: true, width: "72px", from: "xl", cell: (row) => row.replicas, sort: (row) => row.replicas },
  ];
  return <Table name="streams" label={say("streams")} columns={columns} rows={rows} rowKey={(row) => row.name} selected={selected} onOpen={(row) => choose(row.name === selected ? "" : row.name)} empty={empty} height={height} />;
}

function share(of: Stream): number {
  return of.max_bytes > 0 ? of.bytes / of.max_bytes : -1;
}

/** How much of its bound a stream takes. */
function Fill({ of }: { of: Stream }) {
  const say = useWords(NATS);
  const part = share(of);
  if (part < 0) return <span className="text-faint">{say("unbounded")}</span>;
  const tone = part >= NEARLY_FULL ? "bg-warn" : "bg-soft";
  return (
    <span className="flex items-center gap-2" title={`${bytes(of.bytes)} / ${bytes(of.max_bytes)}`}>
      <span aria-hidden="true" className="h-1 grow rounded-full bg-raised">
        <span className={`block h-1 rounded-full ${tone}`} style={{ width: `${Math.min(100, part * 100)}%` }} />
      </span>
      <span className="figure w-9 text-right">{decimal(part * 100, part < 0.1 ? 1 : 0)}%</span>
    </span>
  );
}

function StreamDetail({ of }: { of: Stream }) {
  const say = useWords(NATS);
  const { consumers, isWhole } = useConsumers(of.name);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
      <Panel title={of.name}>
        <Facts>
          <Fact label={say("subjects")}>
            <span className="figure">{of.subjects.join(", ") || "–"}</span>
          </Fact>
          <Fact label={say("sequences")}>
            <span className="figure">
              {whole(of.first_sequence)} – {whole(of.last_sequence)}
            </span>
          </Fact>
          <Fact label={say("size")}>
            <span className="figure">
              {bytes(of.bytes)} {of.max_bytes > 0 ? say("ofBound", { bound: bytes(of.max_bytes) }) : `(${say("unbounded")})`}
            </span>
          </Fact>
          <Fact label={say("age")}>
            <span className="figure">{of.max_age_s > 0 ? duration(of.max_age_s * 1_000) : say("unbounded")}</span>
          </Fact>
          <Fact label={say("kept")}>{say(of.storage === "memory" ? "storage.memory" : "storage.file")}</Fact>
          <Fact label={say("replicas")}>
            <span className="figure">{of.replicas}</span>
          </Fact>
          <Fact label={say("leader")}>{of.leader || "–"}</Fact>
        </Facts>
      </Panel>
      <Panel title={say("consumers")} note={of.consumers}>
        {isWhole ? <ConsumerTable name="consumers-of" rows={consumers} withStream={false} empty={say("noConsumers")} height="320px" /> : <Loading />}
      </Panel>
    </div>
  );
}
