"use client";

import { useHealth } from "@/features/market/asked";
import { ageOf } from "@/features/market/quotes";
import { duration, useNow } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Quote } from "./model";
import { TICKET } from "./ticket-words";

const OLD_MS = 10_000;

/** How old prices are, in milliseconds, where one had to be told: silence means something only while the exchange trades. Else 0. */
export function oldness(quote: Pick<Quote, "ts_received_ns"> | undefined, phase: string | undefined, now: number): number {
  if (!quote || phase !== "trading") return 0;
  const age = ageOf(quote, now);
  return age > OLD_MS ? age : 0;
}

/** Says so as long as the prices of an instrument are older than some seconds while the health agent says that its exchange trades. */
export function OldPrice({ instrument, quote }: { instrument: string; quote: Quote | undefined }) {
  const say = useWords(TICKET);
  const now = useNow();
  const { phases } = useHealth();
  const age = oldness(quote, phases.get(instrument.split(".")[0]!)?.phase, now);
  return age > 0 && <p className="text-xs text-warn">{say("oldPrice", { age: duration(age) })}</p>;
}
