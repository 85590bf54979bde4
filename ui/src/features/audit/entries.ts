import type { Schemas } from "@/lib/api/client";

export type Entry = Schemas["AuditEntry"];
export const RESULTS = ["done", "refused", "failed", "unknown"] as const;
export type Result = (typeof RESULTS)[number];

/** Which entries; what is empty stands for any. `since` and `until` are moments in UTC. */
export interface Wanted {
  who: string;
  action: string;
  on: string;
  result: string;
  since: string;
  until: string;
}

/** Whether an entry is one of those wanted: the same that the API does for what came before. */
export function fits(wanted: Wanted, entry: Entry): boolean {
  const at = Date.parse(entry.at);
  return (
    (!wanted.who || (entry.who || "_") === wanted.who) &&
    (!wanted.action || entry.action === wanted.action) &&
    entry.on.startsWith(wanted.on) &&
    (!wanted.result || entry.result === wanted.result) &&
    (!wanted.since || at >= Date.parse(wanted.since)) &&
    (!wanted.until || at < Date.parse(wanted.until))
  );
}

/** What was asked for and what came live, each once, the latest first. */
export function merged(asked: readonly Entry[], live: Iterable<Entry>, wanted: Wanted): Entry[] {
  const newest = asked[0]?.sequence ?? 0;
  const found = new Map(asked.map((one) => [one.sequence, one]));
  for (const entry of live) if (entry.sequence > newest && fits(wanted, entry)) found.set(entry.sequence, entry);
  return [...found.values()].sort((a, b) => b.sequence - a.sequence);
}

/** What is asked of the API: only what is set. */
export function queryOf(wanted: Wanted): { who?: string; action?: string; on?: string; result?: Result; since?: string; until?: string } {
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
}

export interface Bin {
  from: number;
  done: number;
  refused: number;
  failed: number;
}

/** Entries counted in so many equal lengths of time, from the oldest to the latest. */
export function bins(entries: readonly Entry[], count: number): Bin[] {
  if (!entries.length) return [];
  const moments = entries.map((one) => Date.parse(one.at));
  const from = Math.min(...moments);
  const length = Math.max(1, (Math.max(...moments) - from) / count);
  const found = Array.from({ length: count }, (_, at): Bin => ({ from: from + at * length, done: 0, refused: 0, failed: 0 }));
  entries.forEach((entry, at) => {
    const bin = found[Math.min(count - 1, Math.floor((moments[at]! - from) / length))]!;
    if (entry.result === "done" || entry.result === "refused") bin[entry.result]++;
    else bin.failed++;
  });
  return found;
}
