import type { Cover } from "./quotes";

export const CELL_PX = 9;
export const STEP_PX = 11;

/** Colour and opacity of a cell, the legend the same; `false` is an outline only. */
export const LOOKS: Record<Cover, { token: string; alpha: number; isFilled: boolean; legend: string }> = {
  fresh: { token: "--well", alpha: 0.9, isFilled: true, legend: "bg-well/90" },
  slow: { token: "--well", alpha: 0.55, isFilled: true, legend: "bg-well/55" },
  old: { token: "--well", alpha: 0.25, isFilled: true, legend: "bg-well/25" },
  resting: { token: "--strong", alpha: 1, isFilled: true, legend: "bg-strong" },
  silent: { token: "--faint", alpha: 1, isFilled: false, legend: "border border-faint" },
  waiting: { token: "--accent", alpha: 1, isFilled: false, legend: "border border-accent" },
  refused: { token: "--warn", alpha: 1, isFilled: true, legend: "bg-warn" },
  alarm: { token: "--bad", alpha: 1, isFilled: true, legend: "bg-bad" },
};

/** To which of `count` cells in rows of `columns` a key leads from one of them; -1: it is none of those keys. */
export function stepped(key: string, at: number, count: number, columns: number): number {
  const steps: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, Home: 0, End: count - 1 };
  const to = steps[key];
  if (to === undefined) return -1;
  return to < 0 || to >= count ? at : to;
}
