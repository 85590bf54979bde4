"use client";

import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { usePreferences } from "@/lib/preferences";
import { useNow } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Health } from "./asked";
import { useBoard } from "./board";
import { CELL_PX, LOOKS, stepped, STEP_PX } from "./cover-looks";
import { COVERS, coverOf, type Subscription } from "./quotes";
import { MARKET } from "./words";

const DRAW_MS = 500;

interface CellsProps {
  rows: Subscription[];
  phase: string | undefined;
  health: Health;
  selected: string;
  label: string;
  onOpen: (instrument: string) => void;
  onPoint: (instrument: string) => void;
}

/** Drawn twice a second, not rendered: a thousand cells cost a millisecond. */
export function Cells({ rows, phase, health, selected, label, onOpen, onPoint }: CellsProps) {
  const say = useWords(MARKET);
  const board = useBoard();
  const now = useNow();
  const { theme } = usePreferences();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [focused, setFocused] = useState(-1); // by the keyboard
  const [last, setLast] = useState(0);
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
        if (one.instrument !== selected && at !== focused) return;
        pen.globalAlpha = 1;
        pen.strokeStyle = at === focused ? colours.waiting! : accent;
        pen.lineWidth = 1.5;
        pen.strokeRect(x - 0.25, y - 0.25, CELL_PX + 0.5, CELL_PX + 0.5);
        pen.lineWidth = 1;
      });
    };
    draw();
    const timer = setInterval(draw, DRAW_MS);
    return () => clearInterval(timer);
  }, [rows, phase, health.alarms, selected, focused, board, width, height, columns, theme]);
  const at = (event: { nativeEvent: MouseEvent }) => {
    const { offsetX, offsetY } = event.nativeEvent;
    const column = Math.floor(offsetX / STEP_PX);
    return column < columns ? (rows[Math.floor(offsetY / STEP_PX) * columns + column]?.instrument ?? "") : "";
  };
  const current = Math.min(last, rows.length - 1);
  const named = rows[current]?.instrument ?? "";
  const go = (to: number) => {
    setLast(to);
    setFocused(to);
    onPoint(rows[to]?.instrument ?? "");
  };
  const press = (event: KeyboardEvent) => {
    const to = stepped(event.key, current, rows.length, columns);
    if (to < 0) return;
    event.preventDefault();
    go(to);
  };
  const told = () => say(`cover.${coverOf(rows[current]!, board.rows.get(named), phase, health.alarms.has(named), now)}`);
  return (
    <div className="relative min-w-0 pt-1">
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
      {named && (
        <button type="button" aria-live={focused < 0 ? "off" : "polite"} onFocus={() => go(current)} onBlur={() => (setFocused(-1), onPoint(""))} onKeyDown={press} onClick={() => onOpen(named)} className="sr-only">
          {focused < 0 ? say("mapKeys", { exchange: named.split(".")[0]! }) : `${named} ${told()}`}
        </button>
      )}
    </div>
  );
}
