"use client";

import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import dynamic from "next/dynamic";
import { useMemo } from "react";
import { Segments } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty, Loading } from "@/components/ui/states";
import { answered, api, type Schemas } from "@/lib/api/client";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { type Drawing, drawn, formatOf, overlaid } from "./drawing";
import { METRICS } from "./words";

type Lines = Schemas["Lines"];

const AGAIN_MS = 15_000;
const POINTS = 240;
const MOST_INSTANCES = 6;
const Chart = dynamic(() => import("./chart").then((one) => one.Chart), { ssr: false, loading: () => <Loading rows={4} /> });

const OF_AN_INSTANCE = ["calls_per_s", "errors_per_s", "p50_ms", "p99_ms", "running", "waiting", "cpu", "memory_bytes", "loop_lag_p99_ms"] as const;
const OF_A_SERVICE = ["calls_per_s", "p99_ms", "errors_per_s", "cpu"] as const;
type Metric = (typeof OF_AN_INSTANCE)[number];

/** Charts of an instance, each with its lines. */
const CHARTS: { title: "calls" | "latency" | "queue" | "cpu" | "memory" | "lag"; metrics: Metric[] }[] = [
  { title: "calls", metrics: ["calls_per_s", "errors_per_s"] },
  { title: "latency", metrics: ["p50_ms", "p99_ms"] },
  { title: "queue", metrics: ["running", "waiting"] },
  { title: "cpu", metrics: ["cpu"] },
  { title: "memory", metrics: ["memory_bytes"] },
  { title: "lag", metrics: ["loop_lag_p99_ms"] },
];

function historyOf(service: string, instance: string, metric: readonly string[], minutes: string) {
  return {
    queryKey: ["metrics", service, instance, metric, minutes],
    queryFn: () => answered(api.GET("/api/metrics/history", { params: { query: { service, instance, metric: [...metric], minutes: Number(minutes), points: POINTS } } })),
    refetchInterval: AGAIN_MS,
    placeholderData: keepPreviousData<Lines>,
  };
}

/** Peaks are what one looks for in times and queues; elsewhere the mean tells more. */
function valuesOf(told: Lines, metric: string): (number | null)[] {
  const line = told.lines.find((one) => one.metric === metric);
  return drawn(metric, (/p99|waiting/.test(metric) ? line?.highest : line?.mean) ?? []);
}

/** The last hour of an instance, also of one that is gone; any figure of its own can be looked at beside. */
export function InstanceHistory({ service, instance }: { service: string; instance: string }) {
  const say = useWords(METRICS);
  const [minutes, setMinutes] = useMinutes();
  const [own, setOwn] = useUrlState("figure");
  const metrics = own ? [...OF_AN_INSTANCE, own] : OF_AN_INSTANCE;
  const history = useQuery(historyOf(service, instance, metrics, minutes));
  return (
    <Panel title={say("history")} actions={<Window value={minutes} onChange={setMinutes} />}>
      <Answer of={history} rows={8}>
        {(told) => (told.times.length ? <InstanceCharts told={told} own={own} onOwn={setOwn} /> : <Empty>{say("noSamples")}</Empty>)}
      </Answer>
    </Panel>
  );
}

function InstanceCharts({ told, own, onOwn }: { told: Lines; own: string; onOwn: (metric: string) => void }) {
  const say = useWords(METRICS);
  const drawings = useMemo(() => {
    const found = CHARTS.map(
      ({ title, metrics }): Drawing => ({
        title: say(title),
        times: told.times,
        lines: metrics.map((metric) => ({ name: metric, label: metrics.length > 1 ? say(metric as "p50_ms") : "", values: valuesOf(told, metric) })),
        format: formatOf(metrics[0]!),
      }),
    );
    if (own) found.push({ title: own, times: told.times, lines: [{ name: own, label: "", values: valuesOf(told, own) }], format: formatOf(own) });
    return found;
  }, [told, own, say]);
  const others = told.known.filter((one) => !OF_AN_INSTANCE.includes(one as Metric));
  return (
    <>
      <Charts drawings={drawings} />
      {others.length > 0 && (
        <label className="flex flex-wrap items-center gap-2 border-t px-3 py-2 text-xs text-soft">
          {say("another")}
          <select value={own} onChange={(event) => onOwn(event.target.value)} className="figure h-7 max-w-full min-w-0 rounded-sm border border-strong bg-field px-2 text-xs text-text">
            <option value="">–</option>
            {others.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      )}
    </>
  );
}

/** The last hour of a service, one line an instance. */
export function ServiceHistory({ service, instances }: { service: string; instances: string[] }) {
  const say = useWords(METRICS);
  const [minutes, setMinutes] = useMinutes();
  const shown = instances.slice(0, MOST_INSTANCES);
  const histories = useQueries({ queries: shown.map((instance) => historyOf(service, instance, OF_A_SERVICE, minutes)) });
  const told = histories.map((one) => one.data).filter((one) => one !== undefined);
  const stamp = histories.map((one) => one.dataUpdatedAt).join();
  const drawings = useMemo(
    () =>
      OF_A_SERVICE.map(
        (metric): Drawing => ({
          title: say(`title.${metric}`),
          ...overlaid(told.map((one) => ({ name: one.instance, times: one.times, values: valuesOf(one, metric), step_s: one.step_s }))),
          format: formatOf(metric),
        }),
      ),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `told` is another list each time; whether it has changed is told by its times
    [stamp, say],
  );
  const failed = histories.find((one) => one.error && !one.data);
  return (
    <Panel title={say("history")} note={shown.length < instances.length ? say("someOf", { shown: shown.length, all: instances.length }) : undefined} actions={<Window value={minutes} onChange={setMinutes} />}>
      {shown.length === 0 ? (
        <Empty>{say("noSamples")}</Empty>
      ) : (
        <Answer of={{ data: told.length ? told : undefined, error: failed?.error, refetch: () => histories.forEach((one) => void one.refetch()) }} rows={8}>
          {() => (drawings[0]!.times.length ? <Charts drawings={drawings} /> : <Empty>{say("noSamples")}</Empty>)}
        </Answer>
      )}
    </Panel>
  );
}

function Charts({ drawings }: { drawings: Drawing[] }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-px overflow-hidden bg-line md:grid-cols-2 2xl:grid-cols-3">
      {drawings.map((one) => (
        <Chart key={one.title} {...one} />
      ))}
    </div>
  );
}

function useMinutes(): [string, (minutes: string) => void] {
  const [asked, set] = useUrlState("minutes", "60");
  return [["5", "15", "60"].includes(asked) ? asked : "60", set];
}

function Window({ value, onChange }: { value: string; onChange: (minutes: string) => void }) {
  const say = useWords(METRICS);
  return <Segments label={say("window")} value={value} onChange={onChange} options={["5", "15", "60"].map((one) => ({ value: one, label: say("minutes", { minutes: one }) }))} />;
}
