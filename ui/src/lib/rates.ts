"use client";

import { useEffect, useRef, useState } from "react";

const BETWEEN_MS = 900;
const OLDEST_MS = 5_000;

interface Mark {
  at: number;
  value: number;
}

/** How fast a counter of each row grows, a second, over the last few seconds. A counter that fell has begun anew. */
export function useRates<T>(topic: { rows: ReadonlyMap<string, T> }, counter: (row: T) => number): ReadonlyMap<string, number> {
  const marks = useRef(new Map<string, Mark[]>());
  const [rates, setRates] = useState<ReadonlyMap<string, number>>(new Map());
  useEffect(() => {
    const now = performance.now();
    const found = new Map<string, number>();
    for (const [key, row] of topic.rows) {
      const value = counter(row);
      const before = (marks.current.get(key) ?? []).filter((one) => now - one.at < OLDEST_MS && one.value <= value);
      const last = before.at(-1);
      if (!last || now - last.at >= BETWEEN_MS) before.push({ at: now, value });
      marks.current.set(key, before);
      const first = before[0]!;
      if (now - first.at >= BETWEEN_MS) found.set(key, ((value - first.value) * 1_000) / (now - first.at));
    }
    // eslint-disable-next-line react-hooks/set-state-in-effect -- a rate depends on when its rows came, not on them alone
    setRates(found);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what is counted does not change while a component lives
  }, [topic]);
  return rates;
}
