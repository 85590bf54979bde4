"use client";

import { useMemo, useState } from "react";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { cx } from "@/components/ui/cx";
import { whole } from "@/lib/format";
import { duration, useNow } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Health, useCoverage } from "./asked";
import { type QuoteBoard, useBoard } from "./board";
import { Cells } from "./coverage-cells";
import { LOOKS } from "./cover-looks";
import { ageOf, type Cover, COVERS, coverOf, type Subscription } from "./quotes";
import { MARKET } from "./words";

interface MapProps {
  coverage: ReturnType<typeof useCoverage>;
  health: Health;
  selected: string;
  onOpen: (instrument: string) => void;
}

/** Every wanted contract as a cell, by exchange: how fresh it is, and where something is wrong. The list below says the same in words. */
export function CoverageMap({ coverage, health, selected, onOpen }: MapProps) {
  const say = useWords(MARKET);
  const [pointed, setPointed] = useState("");
  return (
    <Panel title={say("coverage")} note={coverage.data && say("coverageNote", { count: whole(coverage.data.length) })} actions={<Pointed of={pointed} health={health} />}>
      <Answer of={coverage} rows={4}>
        {(rows) => (rows.length ? <Exchanges rows={rows} health={health} selected={selected} onOpen={onOpen} onPoint={setPointed} /> : <Empty>{say("nothingWanted")}</Empty>)}
      </Answer>
    </Panel>
  );
}

/** What the pointer is on. */
function Pointed({ of, health }: { of: string; health: Health }) {
  const say = useWords(MARKET);
  const board = useBoard();
  const now = useNow();
  if (!of) return <span className="text-2xs text-faint max-md:hidden">{say("mapHint")}</span>;
  const tick = board.rows.get(of);
  const alarm = health.alarms.get(of);
  const said = alarm ? say(`verdict.${alarm.verdict}` as "verdict.stalled") : tick ? say("ageOf", { age: duration(ageOf(tick, now || tick.ts_received_ns / 1e6)) }) : say("noTickYet");
  return (
    <span className="text-2xs text-soft">
      <span className="figure text-text">{of}</span> {said}
    </span>
  );
}

interface ExchangesProps extends Omit<MapProps, "coverage"> {
  rows: Subscription[];
  onPoint: (instrument: string) => void;
}

function Exchanges({ rows, health, selected, onOpen, onPoint }: ExchangesProps) {
  const say = useWords(MARKET);
  const board = useBoard();
  const now = useNow();
  const groups = useMemo(() => [...Map.groupBy(rows, (one) => one.instrument.split(".")[0]!)].sort(([a], [b]) => (a < b ? -1 : 1)), [rows]);
  const counts = countsOf(rows, health, board, now);
  return (
    <>
      <ul className="grid gap-2.5 px-3 pt-3 pb-2">
        {groups.map(([exchange, mine]) => {
          const phase = health.phases.get(exchange);
          const own = countsOf(mine, health, board, now);
          const shown = own.fresh + own.slow;
          return (
            <li key={exchange} className="grid grid-cols-[64px_minmax(0,1fr)] items-start gap-3 sm:grid-cols-[112px_minmax(0,1fr)_76px]">
              <div className="text-xs leading-[18px]">
                <span className="font-medium">{exchange}</span>
                <span className={cx("block text-2xs", phase?.phase === "trading" ? "text-soft" : "text-faint")}>{phase ? say(`phase.${phase.phase}` as "phase.trading") : "–"}</span>
              </div>
              <Cells
                rows={mine}
                phase={phase?.phase}
                health={health}
                selected={selected}
                label={say("mapLabel", { exchange, all: mine.length, fresh: shown, alarms: own.alarm })}
                onOpen={onOpen}
                onPoint={onPoint}
              />
              <div className="figure text-right text-xs leading-[18px] max-sm:hidden">
                <span className={own.alarm ? "text-bad" : "text-soft"}>{own.alarm ? own.alarm : whole(shown)}</span>
                <span className="text-faint">/{mine.length}</span>
              </div>
            </li>
          );
        })}
      </ul>
      <ul className="flex flex-wrap gap-x-4 gap-y-1 border-t px-3 py-2 text-2xs text-soft">
        {COVERS.map((cover) => (
          <li key={cover} className={cx("inline-flex items-center gap-1.5", !counts[cover] && "text-faint")}>
            <span aria-hidden="true" className={cx("size-[9px] rounded-[1px]", LOOKS[cover].legend)} />
            {say(`cover.${cover}`)}
            <span className="figure">{counts[cover]}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function countsOf(rows: Subscription[], health: Health, board: QuoteBoard, now: number): Record<Cover, number> {
  const counts = Object.fromEntries(COVERS.map((cover) => [cover, 0])) as Record<Cover, number>;
  for (const one of rows) {
    const phase = health.phases.get(one.instrument.split(".")[0]!)?.phase;
    counts[coverOf(one, board.rows.get(one.instrument), phase, health.alarms.has(one.instrument), now)] += 1;
  }
  return counts;
}
