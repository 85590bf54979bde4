import type { Schemas } from "@/lib/api/client";

/** A log event: what every one has, and fields of its own. */
export interface Line {
  event?: unknown;
  level?: unknown;
  timestamp?: unknown;
  [name: string]: unknown;
}

export const LEVELS = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

export interface Shown {
  number: number;
  event: string;
  level: Level;
  at: string;
  /** Who said it, where that is not the same of all. */
  from?: { service: string; instance: string };
  /** The other fields, as name=value. */
  fields: [string, string][];
}

/** The rows of a log topic in their order. */
export function linesOf(rows: ReadonlyMap<string, Line>): Shown[] {
  return [...rows]
    .map(([number, line]) => shown(Number(number), line))
    .sort((a, b) => a.number - b.number);
}

/** What a search has found, in their order. */
export function linesFound(entries: Schemas["LogEntry"][]): Shown[] {
  return entries.map(({ sequence, service, instance, line }) => ({ ...shown(sequence, line), from: { service, instance } })).reverse();
}

function shown(number: number, { event, level, timestamp, ...rest }: Line): Shown {
  return { number, event: said(event), level: levelOf(said(level)), at: said(timestamp), fields: Object.entries(rest).map(([name, value]) => [name, said(value)]) };
}

/** What is worse than an error is one; what is no level is information. */
function levelOf(text: string): Level {
  if (text === "critical" || text === "exception") return "error";
  return LEVELS.find((one) => one === text) ?? "info";
}

function said(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function fits(line: Shown, least: Level, text: string): boolean {
  if (LEVELS.indexOf(line.level) < LEVELS.indexOf(least)) return false;
  return `${line.event} ${line.fields.map((one) => one.join("=")).join(" ")}`.toLowerCase().includes(text.toLowerCase());
}
