"use client";

import { Badge } from "@/components/ui/badge";
import { CopyCommand } from "@/components/ui/copy";
import { Segments } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { RowName } from "@/components/ui/row-name";
import { Answer, Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import type { Schemas } from "@/lib/api/client";
import { duration, useTimes } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { type Health, levelOf, type Report } from "./asked";
import { useWhy } from "./reasons";
import { MARKET } from "./words";

type Case = Schemas["CaseView"];
type Repair = Schemas["RepairView"];

export const LEVEL_TONES = { healthy: "quiet", degraded: "warn", critical: "bad", unknown: "warn" } as const;
const SHOWN_REPAIRS = 5;

/** What the health agent of a feed set finds: instruments with alarms, and what it did about them. */
export function Findings({ health, onOpen }: { health: Health; onOpen: (instrument: string) => void }) {
  const say = useWords(MARKET);
  const [chosen, choose] = useUrlState("feed");
  const at = Math.max(0, health.feeds.indexOf(chosen));
  const feed = health.feeds[at];
  const query = health.queries[at];
  return (
    <Panel
      title={say("findings")}
      note={query?.isFetched && <Badge tone={LEVEL_TONES[levelOf(query)]}>{say(`level.${levelOf(query)}`)}</Badge>}
      actions={
        feed && (
          <>
            {health.feeds.length > 1 && <Segments label={say("feedSet")} value={feed} onChange={choose} options={health.feeds.map((one) => ({ value: one, label: one }))} />}
            <CopyCommand parts={["aegis", "health", "--feed", feed]} />
          </>
        )
      }
    >
      {query ? <Answer of={query}>{(told) => <Told key={feed} report={told} onOpen={onOpen} />}</Answer> : <Empty>{say("noAgent")}</Empty>}
    </Panel>
  );
}

function Told({ report, onOpen }: { report: Report; onOpen: (instrument: string) => void }) {
  const say = useWords(MARKET);
  const inWhy = useWhy();
  const { time } = useTimes();
  const columns: Column<Case>[] = [
    { key: "instrument", title: say("contract"), width: "124px", cell: (row) => <RowName of={row.instrument} className="figure" />, sort: (row) => row.instrument },
    { key: "verdict", title: say("verdict"), width: "116px", cell: (row) => <span className="text-bad">{say(`verdict.${row.verdict}` as "verdict.stalled")}</span>, sort: (row) => row.verdict },
    { key: "silent", title: say("silentFor"), right: true, width: "84px", cell: (row) => seconds(row.silent_s), sort: (row) => -(row.silent_s ?? 0) },
    { key: "usual", title: say("usually"), right: true, width: "76px", from: "sm", cell: (row) => seconds(row.usual_s) },
    { key: "attempts", title: say("attempts"), right: true, width: "72px", from: "sm", cell: (row) => row.attempts },
    { key: "reason", title: say("reason"), from: "md", cell: (row) => <span className="text-soft" title={inWhy(row.why)}>{inWhy(row.why)}</span> },
  ];
  return (
    <>
      <p className="flex flex-wrap gap-x-4 gap-y-0.5 border-b px-3 py-2 text-xs text-soft">
        <span className="min-w-0 wrap-anywhere">{inWhy(report.why) || say("allCovered", { covered: report.in_all.covered, due: report.in_all.due })}</span>
        <span className="ml-auto text-faint">
          {say("marketTime")} <time className="figure">{time(report.market_time)}</time>
        </span>
        {!report.repairs_on && <span className="text-warn">{say("repairsOff")}</span>}
      </p>
      {report.escalated.length > 0 && <p className="border-b px-3 py-1.5 text-xs wrap-anywhere text-bad">{say("escalated", { what: report.escalated.join(", ") })}</p>}
      <Table name="cases" label={say("findings")} columns={columns} rows={report.cases} rowKey={(row) => row.instrument} onOpen={(row) => onOpen(row.instrument)} empty={say("noCases")} height="220px" />
      {report.repairs.length > 0 && (
        <ol aria-label={say("repairs")} className="border-t px-3 py-1.5 text-xs">
          {report.repairs
            .slice(-SHOWN_REPAIRS)
            .toReversed()
            .map((one) => (
              <RepairLine key={`${one.at} ${one.kind}`} one={one} at={time(one.at)} />
            ))}
        </ol>
      )}
    </>
  );
}

function RepairLine({ one, at }: { one: Repair; at: string }) {
  const say = useWords(MARKET);
  const inWhy = useWhy();
  return (
    <li className="flex gap-3 py-[3px]">
      <time className="figure text-faint">{at}</time>
      <span className="min-w-0 grow wrap-anywhere text-soft">
        {say(`repair.${one.kind}`)} {one.instruments ? say("ofInstruments", { count: one.instruments }) : ""} · {inWhy(one.result ?? one.why)}
      </span>
      <span className={one.outcome === "done" ? "text-soft" : "text-warn"}>{say(`outcome.${one.outcome}`)}</span>
    </li>
  );
}

function seconds(value: number | null): string {
  return value === null ? "–" : duration(value * 1_000);
}
