"use client";

import { useEffect, useState } from "react";
import { type Preferences, usePreferences } from "./preferences";

const ZONES = { local: undefined, exchange: "Asia/Shanghai", utc: "UTC" } as const;
const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Preferences["zone"], parts: Intl.DateTimeFormatOptions, name: string): Intl.DateTimeFormat {
  const key = `${zone} ${name}`;
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat("sv-SE", { timeZone: ZONES[zone], ...parts });
    formats.set(key, made);
  }
  return made;
}

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false } as const;
const DAY = { year: "numeric", month: "2-digit", day: "2-digit" } as const;

export interface Times {
  /** 09:30:00 */
  time: (at: Date | string | number) => string;
  /** 09:30:00.123 */
  precise: (at: Date | string | number) => string;
  /** 2026-11-28 09:30:00 */
  moment: (at: Date | string | number) => string;
}

/** Moments in the time zone that is set. */
export function useTimes(): Times {
  return timesIn(usePreferences().zone);
}

/** What is no moment stands as it is: others tell us some, and a browser would throw. */
export function timesIn(zone: Preferences["zone"]): Times {
  const written = (inWords: (at: Date) => string) => (at: Date | string | number) => {
    const moment = new Date(at);
    return Number.isNaN(moment.getTime()) ? String(at) : inWords(moment);
  };
  const time = (at: Date) => format(zone, TIME, "time").format(at);
  return {
    time: written(time),
    precise: written((at) => `${time(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`),
    moment: written((at) => format(zone, { ...DAY, ...TIME }, "moment").format(at)),
  };
}

/** The present, in milliseconds, anew every so often. 0 until the page has come to life. */
export function useNow(everyMs = 1_000): number {
  const [now, setNow] = useState(0);
  useEffect(() => {
    const look = () => setNow(Date.now());
    const first = setTimeout(look);
    const timer = setInterval(look, everyMs);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [everyMs]);
  return now;
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** A length of time in at most two units, as the command line writes it: 4.2 s, 3 m 20 s, 2 d 3 h. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const whole = Math.floor(ms / 1_000);
  const at = UNITS.findIndex(([, size]) => whole >= size);
  const [large, size] = UNITS[at]!;
  const [small, divisor] = UNITS[at + 1]!;
  return `${Math.floor(whole / size)} ${large} ${Math.floor((whole % size) / divisor)} ${small}`;
}
