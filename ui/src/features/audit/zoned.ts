import type { Preferences } from "@/lib/preferences";

const OFFSETS = { exchange: "Asia/Shanghai", utc: "UTC", local: undefined } as const;
const MINUTE = 16; // 2026-11-28 09:30

function wallClock(at: number, zone: Preferences["zone"]): string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: OFFSETS[zone], year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false });
  return format.format(new Date(at));
}

/** What a field of date and time shows of a moment in this zone: 2026-11-28 09:30; empty for no moment. */
export function toField(moment: string, zone: Preferences["zone"]): string {
  const at = Date.parse(moment);
  return Number.isNaN(at) ? "" : wallClock(at, zone);
}

/** The moment that is meant by such a field, in UTC, of a day alone its beginning; empty for what is none. */
export function fromField(text: string, zone: Preferences["zone"]): string {
  const [, day, time = "00:00"] = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d))?$/.exec(text.trim().slice(0, MINUTE)) ?? [];
  const asUtc = Date.parse(`${day}T${time}Z`);
  if (Number.isNaN(asUtc)) return "";
  const shift = Date.parse(`${wallClock(asUtc, zone).replace(" ", "T")}Z`) - asUtc;
  return `${new Date(asUtc - shift).toISOString().slice(0, MINUTE)}Z`;
}
