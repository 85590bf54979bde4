import type { Schemas } from "@/lib/api/client";
import { whole } from "@/lib/format";

export type Tick = Schemas["TickView"];
export type Subscription = Schemas["SubscriptionView"];
export type Contract = Schemas["InstrumentView"];
export type Bar = Schemas["Bar"];
export type Period = Bars["period"];
export type Bars = Schemas["Bars"];

const NS_IN_MS = 1e6;
const FRESH_MS = 5_000;
const SLOW_MS = 60_000;
const USUAL_DIGITS = 2;

/** So many ticks of a contract are in a page of stored ones, and so many of those that have come are kept. */
export const MOST_TICKS = 500;

export const PERIODS: Record<Period, number> = { "1m": 60, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "1d": 86_400 };

export function idOf(tick: Tick): string {
  return `${tick.exchange}.${tick.symbol}`;
}

/** By how much the last price is above the last settlement, as exchanges count it; null where one of them is missing. */
export function changeOf(tick: Tick): { change: number; percent: number } | null {
  const before = tick.pre_settlement_price ?? tick.pre_close_price;
  if (tick.last_price === null || !before) return null;
  const change = tick.last_price - before;
  return { change, percent: (change / Math.abs(before)) * 100 };
}

/** Of the sign of a number: which colour it has. */
export function moveOf(value: number | null | undefined): "up" | "down" | "" {
  return !value ? "" : value > 0 ? "up" : "down";
}

/** How many places prices of a contract have after the point: 0.02 has two; without a smallest step two. */
export function digitsOf(priceTick: number | null | undefined): number {
  if (!priceTick) return USUAL_DIGITS;
  const places = String(priceTick).split(".")[1];
  return places?.length ?? 0;
}

/** How old a tick is, in milliseconds, since a feed received it: the exchange's clock may be another one. */
export function ageOf(tick: Pick<Tick, "ts_received_ns">, now: number): number {
  return Math.max(0, now - tick.ts_received_ns / NS_IN_MS);
}

/** What an instrument looks like in the map of the coverage. */
export type Cover = "fresh" | "slow" | "old" | "resting" | "silent" | "waiting" | "refused" | "alarm";

export const COVERS: Cover[] = ["alarm", "refused", "waiting", "silent", "fresh", "slow", "old", "resting"];

/** An alarm is what the health agent says. Silence means nothing while the exchange rests. */
export function coverOf(one: Subscription, tick: Tick | undefined, phase: string | undefined, isAlarm: boolean, now: number): Cover {
  if (isAlarm) return "alarm";
  if (one.state === "refused" || one.state === "waiting") return one.state;
  if (phase !== undefined && phase !== "trading") return "resting";
  if (!tick) return "silent";
  const age = ageOf(tick, now);
  return age < FRESH_MS ? "fresh" : age < SLOW_MS ? "slow" : "old";
}

/** Who dealt: a price at the ask or above was bought, at the bid or below sold; between them nobody knows. */
export function sideOf(tick: Tick): "up" | "down" | "" {
  const price = tick.last_price;
  if (price === null || !tick.volume_delta) return "";
  if (tick.asks[0] && price >= tick.asks[0][0]) return "up";
  return tick.bids[0] && price <= tick.bids[0][0] ? "down" : "";
}

/** How many bars a chart has, at most. */
export const MOST_BARS = 240;

/** How many periods back bars are to be asked for: to before the last known one, which goes on; all, where that one says nothing of now. */
export function periodsBack(known: Bars | undefined, tick: Tick | undefined): number {
  const last = known?.bars.at(-1);
  if (!known || !last) return MOST_BARS;
  const periods = tick ? (tick.ts_exchange_ns / 1e9 - Date.parse(last.begin) / 1e3) / PERIODS[known.period] : 0;
  return periods < 0 ? MOST_BARS : Math.min(MOST_BARS, Math.floor(periods) + 2);
}

/** Known bars, of which the last one and all later ones are as they are told now. An answer that was cut has none of them whole. */
export function extended(known: Bars, told: Bars): Bars {
  const last = known.bars.at(-1);
  if (told.cut || !last) return known;
  const bars = [...known.bars.slice(0, -1), ...told.bars.filter((one) => Date.parse(one.begin) >= Date.parse(last.begin))];
  return { ...known, bars: bars.slice(-MOST_BARS) };
}

/** Lots that were traded between two ticks of an instrument; a new trading day counts from nothing. Without the one before, those that the feed says. */
function tradedBetween(before: Tick | undefined, tick: Tick): number {
  if (!before) return tick.volume_delta;
  return tick.trading_day === before.trading_day ? tick.volume - before.volume : tick.volume;
}

/** The bar that a chart has last gone on by a live tick: the same one, or a new one behind it. As the stored bars, it goes on and begins with trades only. `before` is the tick that it has gone on with last. */
export function goneOn(last: Bar, before: Tick | undefined, tick: Tick, period: Period): Bar {
  const price = tick.last_price;
  const lots = tradedBetween(before, tick);
  if (price === null || lots <= 0 || tick.flags.includes("stale")) return last;
  const seconds = PERIODS[period];
  const begin = Math.floor(tick.ts_exchange_ns / 1e9 / seconds) * seconds * 1_000;
  const isNew = period === "1d" ? tick.trading_day > last.trading_day : begin > Date.parse(last.begin);
  if (!isNew) {
    if (period !== "1d" && begin < Date.parse(last.begin)) return last;
    return { ...last, high: Math.max(last.high, price), low: Math.min(last.low, price), close: price, volume: last.volume + lots };
  }
  const { trading_day, action_day, open_interest, turnover_delta } = tick;
  const at = new Date(begin).toISOString();
  return { begin: at, trading_day, action_day, open: price, high: price, low: price, close: price, volume: lots, turnover: turnover_delta, open_interest, ticks: 1 };
}

const COMPACT = { notation: "compact", minimumFractionDigits: 2, maximumFractionDigits: 2 } as const;
const AMOUNTS = { en: new Intl.NumberFormat("en-US", COMPACT), zh: new Intl.NumberFormat("zh-CN", COMPACT) };

/** Yuan in few places, counted as the language counts them: 2.61M and 1.20B, 261.00万 and 12.00亿. */
export function amount(value: number, language: "en" | "zh"): string {
  return Math.abs(value) < 100_000 ? whole(value) : AMOUNTS[language].format(value);
}

/** The stored ticks and those that came since: each once, the latest first, as far back as the stored ones go: what is older stands on the page before. */
export function joined(stored: readonly Tick[], live: readonly Tick[]): Tick[] {
  const all = new Map<string, Tick>();
  for (const tick of [...stored, ...live]) {
    const first = stored.find((one) => one.feed === tick.feed);
    if (!first || byOrder(tick, first) >= 0) all.set(keyOf(tick), tick);
  }
  return [...all.values()].sort((a, b) => byOrder(b, a));
}

/** A name of a tick among those of its contract: each feed set counts its own epochs. */
export function keyOf({ feed, epoch, sequence }: Tick): string {
  return `${feed} ${epoch} ${sequence}`;
}

/** Later ticks have a higher epoch, or sequence. */
function byOrder(a: Tick, b: Tick): number {
  return a.epoch - b.epoch || a.sequence - b.sequence;
}
