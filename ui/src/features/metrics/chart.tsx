"use client";

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { usePreferences } from "@/lib/preferences";
import { useTimes } from "@/lib/time";
import type { Drawing } from "./drawing";

const HEIGHT_PX = 148;
const SYNC = "charts";

/** Lines are told apart by colour and dash, in this order. */
const STROKES = [
  { token: "--accent", dash: [] },
  { token: "--text", dash: [] },
  { token: "--well", dash: [] },
  { token: "--faint", dash: [] },
  { token: "--accent", dash: [4, 3] },
  { token: "--text", dash: [4, 3] },
];

/** A value between two holes is no line; it gets a point. */
function alone(u: uPlot, series: number): number[] {
  const values = u.data[series]!;
  return [...values.keys()].filter((at) => isThere(values[at]) && !isThere(values[at - 1]) && !isThere(values[at + 1]));
}

function isThere(value: number | null | undefined): boolean {
  return value !== null && value !== undefined;
}

/** Lines over time. All charts of a page share their crosshair; what it is on is told in the heading of each. */
export function Chart({ title, lines, times, format }: Drawing) {
  const box = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLElement>(null);
  const plot = useRef<uPlot | null>(null);
  const { theme } = usePreferences();
  const { time } = useTimes();
  const shown = useRef({ times, lines, format, time });
  const data = (): uPlot.AlignedData => [shown.current.times, ...shown.current.lines.map((line) => line.values)];
  const names = lines.map((line) => line.name).join();
  useEffect(() => {
    shown.current = { times, lines, format, time };
  });
  useEffect(() => {
    const inside = box.current!;
    const style = getComputedStyle(document.documentElement);
    const token = (name: string) => style.getPropertyValue(name).trim();
    const font = `11px ${token("--font-mono") || "IBM Plex Mono, monospace"}`;
    const tell = (at: number | null | undefined) => {
      const { times, lines, format, time } = shown.current;
      const where = at ?? times.length - 1;
      for (const [index, line] of lines.entries()) {
        const value = line.values[where];
        const told = head.current?.querySelector(`[data-line="${index}"]`);
        if (told) told.textContent = value === null || value === undefined ? "–" : format(value);
      }
      const when = head.current?.querySelector("[data-time]");
      if (when) when.textContent = at === null || at === undefined || !times[where] ? "" : time(times[where] * 1_000);
    };
    const axis = { stroke: token("--faint"), font, grid: { stroke: token("--line"), width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: inside.clientWidth,
        height: HEIGHT_PX,
        padding: [8, 28, 0, 0], // half a label at the right
        legend: { show: false },
        cursor: { sync: { key: SYNC }, y: false, drag: { x: false, y: false }, points: { size: 5 } },
        scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high! * 1.1 : 1] } },
        axes: [
          { ...axis, size: 24, space: 84, values: (_, splits, __, ___, step) => splits.map((at) => shown.current.time(at * 1_000).slice(0, step < 60 ? 8 : 5)) },
          { ...axis, size: 64, values: (_, splits) => splits.map((value) => shown.current.format(value)) },
        ],
        series: [{}, ...shown.current.lines.map((_, at) => ({ stroke: token(STROKES[at % STROKES.length]!.token), dash: STROKES[at % STROKES.length]!.dash, width: 1.25, points: { show: true, size: 3, filter: alone } }))],
        hooks: { setCursor: [(u) => tell(u.cursor.idx)], setData: [(u) => tell(u.cursor.idx)], ready: [() => tell(null)] },
      },
      data(),
      inside,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => inside.clientWidth && made.setSize({ width: inside.clientWidth, height: HEIGHT_PX }));
    resized.observe(inside);
    return () => {
      resized.disconnect();
      plot.current = null;
      made.destroy();
    };
    // made anew for other lines and another theme only; what it shows comes by `setData`
  }, [names, theme]);
  useEffect(() => {
    plot.current?.setData(data());
  }, [times, lines]);
  return (
    <figure aria-label={title} className="min-w-0 bg-panel pt-2">
      <figcaption ref={head} className="flex flex-wrap items-center gap-x-3 px-3 text-2xs">
        <span className="label mr-1">{title}</span>
        {lines.map((line, at) => (
          <span key={line.name} className="inline-flex items-center gap-1.5 leading-4">
            {line.label && (
              <span className="inline-flex items-center gap-1.5 text-soft">
                <Mark at={at} />
                {line.label}
              </span>
            )}
            <span data-line={at} className="figure text-text" />
          </span>
        ))}
        <time data-time className="figure ml-auto text-faint" />
      </figcaption>
      <div ref={box} aria-hidden="true" style={{ height: HEIGHT_PX }} />
    </figure>
  );
}

function Mark({ at }: { at: number }) {
  const { token, dash } = STROKES[at % STROKES.length]!;
  return <span aria-hidden="true" className="inline-block w-3 self-center" style={{ borderTop: `2px ${dash.length ? "dashed" : "solid"} var(${token})` }} />;
}
