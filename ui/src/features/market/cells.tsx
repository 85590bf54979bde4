"use client";

import { decimal, whole } from "@/lib/format";
import { type QuoteBoard, usePaint } from "./board";
import { changeOf, idOf, moveOf, type Tick } from "./quotes";

const WIDTH = 72;
const HEIGHT = 18;

type Paint = (element: HTMLElement, tick: Tick, digits: number) => void;

/** A figure of the latest tick, written by one of the functions below. */
export function Live({ of, paint, digits }: { of: string; paint: Paint; digits?: number }) {
  return <span ref={usePaint(of, paint, digits)} className="data-[move=down]:text-down data-[move=up]:text-up" />;
}

function write(element: HTMLElement, text: string, move: string): void {
  element.textContent = text;
  element.dataset.move = move;
}

export const paintLast: Paint = (element, tick, digits) => write(element, decimal(tick.last_price, digits), moveOf(changeOf(tick)?.change));

export const paintChange: Paint = (element, tick, digits) => {
  const found = changeOf(tick);
  write(element, found ? signed(found.change, digits) : "–", moveOf(found?.change));
};

export const paintPercent: Paint = (element, tick) => {
  const found = changeOf(tick);
  write(element, found ? `${signed(found.percent, 2)}%` : "–", moveOf(found?.change));
};

export const paintVolume: Paint = (element, tick) => write(element, whole(tick.volume), "");

export const paintInterest: Paint = (element, tick) => write(element, whole(tick.open_interest), "");

export function signed(value: number, digits: number): string {
  return `${value > 0 ? "+" : ""}${decimal(value, digits)}`;
}

/** The price since the page was opened, for who sees it; the figures beside it say the rest. */
export function Sparkline({ of, width = WIDTH, height = HEIGHT }: { of: string; width?: number; height?: number }) {
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" className="ml-auto block text-soft data-[move=down]:text-down data-[move=up]:text-up">
      <polyline ref={usePaint(of, paintSpark)} fill="none" stroke="currentColor" strokeWidth="1.2" />
    </svg>
  );
}

function paintSpark(element: SVGPolylineElement, tick: Tick, _digits: number, board: QuoteBoard): void {
  const spark = board.sparks.get(idOf(tick));
  const svg = element.ownerSVGElement;
  if (!spark || !svg || element.dataset.version === String(spark.version)) return;
  element.dataset.version = String(spark.version);
  svg.dataset.move = moveOf(changeOf(tick)?.change);
  element.setAttribute("points", spark.points(svg.width.baseVal.value, svg.height.baseVal.value));
}
