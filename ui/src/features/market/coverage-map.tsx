"use client";

import { useEffect, useMemo, useRef, useState } from "react";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { cx } from "@/components/ui/cx";
import { whole } from "@/lib/format";
import { usePreferences } from "@/lib/preferences";
import { duration, useNow } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Health, useCoverage } from "./asked";
import { type QuoteBoard, useBoard } from "./board";
import { ageOf, type Cover, COVERS, coverOf, type Subscription } from "./quotes";
import { MARKET } from "./words";

const CELL_PX = 9;
const STEP_PX = 11;
const DRAW_MS = 500;

/** Colour and opacity of a cell, the legend the same; `false` is an outline only. */
const LOOKS: Record<Cover, { token: string; alpha: number; isFilled: boolean; legend: string }> = {
  fresh: { token: "--well", alpha: 0.9, isFilled: true, legend: "bg-well/90" },
  slow: { token: "--well", alpha: 0.55, isFilled: true, legend: "bg-well/55" },
  old: { token: "--well", alpha: 0.25, isFilled: true, legend: "bg-well/25" },
  resting: { token: "--strong", alpha: 1, isFilled: true, legend: "bg-strong" },
  silent: { token: "--faint", alpha: 1, isFilled: false, legend: "border border-faint" },
  waiting: { token: "--accent", alpha: 1, isFilled: false, legend: "border border-accent" },
  refused: { token: "--warn", alpha: 1, isFilled: true, legend: "bg-warn" },
  alarm: { token: "--bad", alpha: 1, isFilled: true, legend: "bg-bad" },
};

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
    <Panel title={say("coverage")} note={coverage.data && say("coverageNote", { count: whole(coverage.data.rows.length) })} actions={<Pointed of={pointed} health={health} />}>
      <Answer of={coverage} rows={4}>
        {({ rows }) => (rows.length ? <Exchanges rows={rows} health={health} selected={selected} onOpen={onOpen} onPoint={setPointed} /> : <Empty>{say("nothingWanted")}</Empty>)}
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

interface CellsProps extends Omit<ExchangesProps, "onOpen"> {
  phase: string | undefined;
  label: string;
  onOpen: (instrument: string) => void;
}

/** Drawn twice a second, not rendered: a thousand cells cost a millisecond. */
function Cells({ rows, phase, health, selected, label, onOpen, onPoint }: CellsProps) {
  const board = useBoard();
  const { theme } = usePreferences();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const columns = Math.max(1, Math.floor((width + STEP_PX - CELL_PX) / STEP_PX));
  const height = Math.max(1, Math.ceil(rows.length / columns)) * STEP_PX;
  useEffect(() => {
    const box = canvas.current?.parentElement;
    if (!box) return;
    const resized = new ResizeObserver(() => setWidth(box.clientWidth));
    resized.observe(box);
    return () => resized.disconnect();
  }, []);
  useEffect(() => {
    const shown = canvas.current;
    const pen = shown?.getContext("2d");
    if (!shown || !pen || !width) return;
    const scale = window.devicePixelRatio || 1;
    shown.width = width * scale;
    shown.height = height * scale;
    const style = getComputedStyle(document.documentElement);
    const colours = Object.fromEntries(COVERS.map((cover) => [cover, style.getPropertyValue(LOOKS[cover].token)]));
    const accent = style.getPropertyValue("--text");
    const draw = () => {
      const now = Date.now();
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, width, height);
      rows.forEach((one, at) => {
        const cover = coverOf(one, board.rows.get(one.instrument), phase, health.alarms.has(one.instrument), now);
        const look = LOOKS[cover];
        const x = (at % columns) * STEP_PX;
        const y = Math.floor(at / columns) * STEP_PX;
        pen.globalAlpha = look.alpha;
        pen.fillStyle = pen.strokeStyle = colours[cover]!;
        if (look.isFilled) pen.fillRect(x, y, CELL_PX, CELL_PX);
        else pen.strokeRect(x + 0.5, y + 0.5, CELL_PX - 1, CELL_PX - 1);
        if (one.instrument !== selected) return;
        pen.globalAlpha = 1;
        pen.strokeStyle = accent;
        pen.lineWidth = 1.5;
        pen.strokeRect(x - 0.25, y - 0.25, CELL_PX + 0.5, CELL_PX + 0.5);
        pen.lineWidth = 1;
      });
    };
    draw();
    const timer = setInterval(draw, DRAW_MS);
    return () => clearInterval(timer);
  }, [rows, phase, health.alarms, selected, board, width, height, columns, theme]);
  const at = (event: { nativeEvent: MouseEvent }) => {
    const { offsetX, offsetY } = event.nativeEvent;
    const column = Math.floor(offsetX / STEP_PX);
    return column < columns ? (rows[Math.floor(offsetY / STEP_PX) * columns + column]?.instrument ?? "") : "";
  };
  return (
    <div className="min-w-0 pt-1">
      <canvas
        ref={canvas}
        role="img"
        aria-label={label}
        className="block cursor-pointer"
        style={{ width, height }}
        onPointerMove={(event) => onPoint(at(event))}
        onPointerLeave={() => onPoint("")}
        onClick={(event) => {
          const instrument = at(event);
          if (instrument) onOpen(instrument);
        }}
      />
    </div>
  );
}
