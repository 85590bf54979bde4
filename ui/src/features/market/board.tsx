"use client";

import { createContext, type ReactNode, type RefCallback, useCallback, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { useTopic } from "@/lib/live/hooks";
import type { Tick } from "./quotes";
import { Spark } from "./spark";

const SAMPLE_MS = 1_000;

/** The latest tick of each instrument. Who shows one is told in the frame in which some have changed, ten times a second at most. */
export class QuoteBoard {
  rows: ReadonlyMap<string, Tick> = new Map();
  readonly sparks = new Map<string, Spark>();
  private readonly listeners = new Set<() => void>();
  private sampledAt = 0;

  take(rows: ReadonlyMap<string, Tick>, now: number): void {
    this.rows = rows;
    if (now - this.sampledAt >= SAMPLE_MS) this.sample(now);
    this.listeners.forEach((listener) => listener());
  }

  readonly onTake = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private sample(now: number): void {
    this.sampledAt = now;
    for (const [name, tick] of this.rows) {
      if (tick.last_price === null) continue;
      let spark = this.sparks.get(name);
      if (!spark) this.sparks.set(name, (spark = new Spark()));
      spark.add(tick.last_price);
    }
  }
}

const Context = createContext<QuoteBoard | null>(null);

/** Ticks of the whole market, for all below. */
export function Quotes({ children }: { children: ReactNode }) {
  const [board] = useState(() => new QuoteBoard());
  return (
    <Context value={board}>
      <Taker board={board} />
      {children}
    </Context>
  );
}

/** Alone is rendered anew with the ticks. */
function Taker({ board }: { board: QuoteBoard }) {
  const topic = useTopic<Tick>("ticks.*.*");
  useEffect(() => board.take(topic.rows, performance.now()), [board, topic]);
  return null;
}

export function useBoard(): QuoteBoard {
  const board = useContext(Context);
  if (!board) throw new Error("outside of <Quotes>");
  return board;
}

/** The latest tick of one instrument; whoever uses it is rendered anew with each. Long lists use `usePaint`. */
export function useQuote(instrument: string): Tick | undefined {
  const board = useBoard();
  return useSyncExternalStore(
    board.onTake,
    () => board.rows.get(instrument),
    () => undefined,
  );
}

/** Writes each new tick of an instrument into an element itself: nothing is rendered anew. `paint` must stay the same. */
export function usePaint<E extends Element>(instrument: string, paint: (element: E, tick: Tick, digits: number, board: QuoteBoard) => void, digits = 0): RefCallback<E> {
  const board = useBoard();
  return useCallback(
    (element: E | null) => {
      if (!element) return;
      let shown: Tick | undefined;
      const look = () => {
        const tick = board.rows.get(instrument);
        if (!tick || tick === shown) return;
        shown = tick;
        paint(element, tick, digits, board);
      };
      look();
      return board.onTake(look);
    },
    [board, instrument, paint, digits],
  );
}
