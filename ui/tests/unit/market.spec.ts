import { expect, test } from "@playwright/test";
import { type Report, together } from "../../src/features/market/asked";
import { QuoteBoard } from "../../src/features/market/board";
import { amount, type Bar, type Bars, changeOf, coverOf, digitsOf, extended, goneOn, joined, MOST_BARS, periodsBack, sideOf, type Subscription, type Tick } from "../../src/features/market/quotes";
import { Spark } from "../../src/features/market/spark";
import { namesIn } from "../../src/features/market/wishing";
import { formatOf, overlaid } from "../../src/features/metrics/drawing";
import { stepped } from "../../src/features/market/cover-looks";

const MINUTE = Date.parse("2026-11-30T01:30:00Z");

function tick(change: Partial<Tick> = {}): Tick {
  return {
    ...{ exchange: "SHFE", symbol: "rb2701", trading_day: "20261130", action_day: "20261130", epoch: 1, sequence: 1, flags: [] },
    ...{ ts_exchange_ns: MINUTE * 1e6, ts_received_ns: MINUTE * 1e6, last_price: 3_080, pre_settlement_price: 3_000, pre_close_price: 3_010 },
    ...{ volume: 10, volume_delta: 1, turnover_delta: 30_800, open_interest: 5, bids: [[3_079, 1]], asks: [[3_081, 2]] },
    ...change,
  } as Tick;
}

function wanted(change: Partial<Subscription> = {}): Subscription {
  return { instrument: "SHFE.rb2701", state: "ticking", why: null, wanted_by: ["desk"], ...change };
}

test("a change is counted from the settlement before, and there is none without a price", () => {
  expect(changeOf(tick())).toEqual({ change: 80, percent: (80 / 3_000) * 100 });
  expect(changeOf(tick({ pre_settlement_price: null }))?.change).toBe(70);
  expect(changeOf(tick({ last_price: null }))).toBeNull();
  expect(changeOf(tick({ last_price: -4, pre_settlement_price: -5 }))).toEqual({ change: 1, percent: 20 });
});

test("prices have the places of their smallest step", () => {
  expect([1, 0.2, 0.005, null].map(digitsOf)).toEqual([0, 1, 3, 2]);
});

test("a cell tells the alarm first, then what became of the wish, then how old the last tick is", () => {
  const at = (age: number) => MINUTE + age;
  expect(coverOf(wanted(), tick(), "trading", true, at(0))).toBe("alarm");
  expect(coverOf(wanted({ state: "refused" }), undefined, "closed", false, at(0))).toBe("refused");
  expect(coverOf(wanted(), tick(), "trading", false, at(4_999))).toBe("fresh");
  expect(coverOf(wanted(), tick(), "trading", false, at(5_000))).toBe("slow");
  expect(coverOf(wanted(), tick(), "trading", false, at(60_000))).toBe("old");
  expect(coverOf(wanted(), undefined, "trading", false, at(0))).toBe("silent");
});

test("silence at lunch is rest, not age", () => {
  expect(coverOf(wanted(), tick(), "break", false, MINUTE + 3_600_000)).toBe("resting");
  expect(coverOf(wanted(), tick(), undefined, false, MINUTE + 3_600_000)).toBe("old");
});

test("who dealt is told by the side of the book that the price is at", () => {
  expect(sideOf(tick({ last_price: 3_081 }))).toBe("up");
  expect(sideOf(tick({ last_price: 3_079 }))).toBe("down");
  expect(sideOf(tick({ last_price: 3_080 }))).toBe("");
  expect(sideOf(tick({ last_price: 3_081, volume_delta: 0 }))).toBe("");
});

test("a bar goes on with the ticks of its period, and the next period begins a new one", () => {
  const bar = { begin: "2026-11-30T01:30:00Z", trading_day: "20261130", open: 3_075, high: 3_079, low: 3_070, close: 3_071, volume: 40 } as Bar;
  const before = tick({ volume: 7 });
  const on = (change: Partial<Tick> = {}, period: "1m" | "1d" = "1m") => goneOn(bar, before, tick(change), period);
  expect(on()).toMatchObject({ open: 3_075, high: 3_080, low: 3_070, close: 3_080, volume: 43 }); // with what was traded between the samples, which is more than the last tick's
  expect(goneOn(bar, undefined, tick(), "1m").volume).toBe(41);
  const next = { ts_exchange_ns: (MINUTE + 60_000) * 1e6 };
  expect(on(next)).toMatchObject({ begin: "2026-11-30T01:31:00.000Z", open: 3_080, low: 3_080, volume: 3 });
  expect(on({ ts_exchange_ns: (MINUTE - 60_000) * 1e6 })).toBe(bar);
  expect(on({ flags: ["stale"] })).toBe(bar);
  expect(on({ trading_day: "20261201" }, "1d")).toMatchObject({ trading_day: "20261201", open: 3_080, volume: 10 });
});

test("a period without a trade has no bar, as none is stored of it", () => {
  const bar = { begin: "2026-11-30T01:30:00Z", trading_day: "20261130", close: 3_071, volume: 40 } as Bar;
  const quiet = { ts_exchange_ns: (MINUTE + 60_000) * 1e6, volume_delta: 0 };
  expect(goneOn(bar, tick(), tick(quiet), "1m")).toBe(bar);
  expect(goneOn(bar, undefined, tick(quiet), "1m")).toBe(bar);
});

function barsOf(...closes: [minute: number, close: number][]): Bars {
  const bars = closes.map(([minute, close]) => ({ begin: new Date(MINUTE + minute * 60_000).toISOString(), close }) as Bar);
  return { instrument: "SHFE.rb2701", period: "1m", bars, cut: false };
}

test("of bars that are known only what has come since is asked for", () => {
  const known = barsOf([0, 1], [1, 2], [3, 4]);
  const after = (minutes: number) => tick({ ts_exchange_ns: (MINUTE + minutes * 60_000) * 1e6 });
  expect(periodsBack(undefined, tick())).toBe(MOST_BARS);
  expect(periodsBack(barsOf(), tick())).toBe(MOST_BARS);
  expect(periodsBack(known, undefined)).toBe(2);
  expect(periodsBack(known, after(3.9))).toBe(2);
  expect(periodsBack(known, after(5.1))).toBe(4);
  expect(periodsBack(known, after(1_000))).toBe(MOST_BARS);
  expect(periodsBack(known, after(-5))).toBe(MOST_BARS);
  const told = barsOf([1, 7], [3, 5], [4, 6]); // of the first one a part is missing
  expect(extended(known, told).bars.map((one) => one.close)).toEqual([1, 2, 5, 6]);
  expect(extended(known, { ...told, cut: true })).toBe(known);
  const many = Array.from({ length: MOST_BARS }, (_, minute) => [minute - MOST_BARS, 0] as [number, number]);
  expect(extended(barsOf(...many, [0, 1]), barsOf([0, 2], [1, 3])).bars).toHaveLength(MOST_BARS);
});

test("stored and live ticks are one list, each once, the latest first", () => {
  const list = joined([tick({ sequence: 1 }), tick({ sequence: 2 })], [tick({ sequence: 2 }), tick({ epoch: 2, sequence: 1 })]);
  expect(list.map((one) => [one.epoch, one.sequence])).toEqual([
    [2, 1],
    [1, 2],
    [1, 1],
  ]);
});

test("what came before the first of the stored ticks is on another page, so that none is listed twice or left out", () => {
  const live = [tick({ sequence: 1 }), tick({ sequence: 2 }), tick({ sequence: 3 }), tick({ sequence: 4 })];
  expect(joined([tick({ sequence: 3 })], live).map((one) => one.sequence)).toEqual([4, 3]);
  expect(joined([tick({ epoch: 2, sequence: 1 })], live)).toHaveLength(1);
  expect(joined([], live)).toHaveLength(4);
  const other = tick({ feed: "other", sequence: 1 }); // which counts for itself
  expect(joined([tick({ feed: "main", epoch: 2 }), other], [tick({ feed: "other", sequence: 2 })])).toHaveLength(3);
  expect(joined([tick({ feed: "main" }), other], [])).toHaveLength(2);
});

test("a board samples once a second and tells its listeners each time", () => {
  const board = new QuoteBoard();
  let told = 0;
  board.onTake(() => (told += 1));
  const rows = new Map([["SHFE.rb2701", tick()]]);
  board.take(rows, 1_000);
  board.take(rows, 1_500);
  board.take(rows, 2_000);
  expect(told).toBe(3);
  expect(board.sparks.get("SHFE.rb2701")?.version).toBe(2);
});

test("a spark keeps the last two minutes and stays within its box", () => {
  const spark = new Spark();
  for (let at = 0; at < 500; at++) spark.add(at % 7);
  const points = spark.points(72, 18).split(" ").map((one) => one.split(",").map(Number));
  expect(points).toHaveLength(120);
  for (const [x, y] of points) expect(x! >= 0 && x! <= 72 && y! >= 0 && y! <= 18).toBe(true);
});

test("names are told apart by spaces and commas, but those of combinations have spaces", () => {
  expect(namesIn("SHFE.rb2701 DCE.m2701,DCE.SP m2701&m2705\nSHFE.rb2701")).toEqual(["SHFE.rb2701", "DCE.m2701", "DCE.SP m2701&m2705"]);
});

test("large amounts have few places, counted as the language counts them", () => {
  const of = (language: "en" | "zh") => [950, 12_345, 123_456, 49_260_000, 7.3e9].map((value) => amount(value, language));
  expect(of("en")).toEqual(["950", "12,345", "123.46K", "49.26M", "7.30B"]);
  expect(of("zh")).toEqual(["950", "12,345", "12.35万", "4926.00万", "73.00亿"]);
});

test("lines of instances share their times, with holes where one was silent", () => {
  const made = overlaid([
    { name: "a", times: [10, 12], values: [1, 2], step_s: 2 },
    { name: "b", times: [12.5], values: [5], step_s: 2 },
  ]);
  expect(made.times).toEqual([10, 12]);
  expect(made.lines.map((line) => line.values)).toEqual([
    [1, 2],
    [null, 5],
  ]);
});

test("a figure is written with the unit of its name", () => {
  expect([formatOf("cpu")(0.061), formatOf("memory_bytes")(57.2), formatOf("methods.any.echo.p99_ms")(12), formatOf('x_seconds_p99{a="b"}')(0.02), formatOf("n")(3)]).toEqual(["6.1%", "57 MiB", "12 ms", "20 ms", "3"]);
});

test("arrow keys go through the cells of a map, and not beyond its ends", () => {
  const at = (key: string, from: number) => stepped(key, from, 10, 4);
  expect([at("ArrowRight", 3), at("ArrowDown", 1), at("ArrowUp", 9), at("End", 2), at("Home", 7)]).toEqual([4, 5, 5, 9, 0]);
  expect([at("ArrowLeft", 0), at("ArrowDown", 7), at("ArrowUp", 2), at("a", 2)]).toEqual([0, 7, 2, -1]);
});

test("of several feed sets the worst counts, one that does not answer is unknown, and no alarm of any is left out", () => {
  const report = (level: Report["level"], instrument: string, phase: string) =>
    ({ data: { level, cases: [{ instrument }], exchanges: [{ exchange: "SHFE", phase }] } as unknown as Report, error: null });
  const main = report("healthy", "SHFE.rb2605", "break");
  expect(together([]).level).toBe(undefined);
  expect(together([{ data: undefined, error: null }]).level).toBe(undefined);
  expect(together([main, { data: undefined, error: null }]).level).toBe("unknown");
  expect(together([main, report("degraded", "DCE.m2605", "closed")]).level).toBe("degraded");
  const both = together([{ ...main, error: new Error("away") }, report("critical", "DCE.m2605", "trading")]);
  expect(both).toMatchObject({ level: "critical", cases: 2 });
  expect([...both.alarms.keys()]).toEqual(["SHFE.rb2605", "DCE.m2605"]);
  expect(both.phases.get("SHFE")?.phase).toBe("trading");
  expect(together([{ ...main, error: new Error("away") }]).level).toBe("unknown");
});
