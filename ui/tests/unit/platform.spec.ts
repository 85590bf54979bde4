import { expect, test } from "@playwright/test";
import { bins, type Entry, fits, merged, type Wanted } from "../../src/features/audit/entries";
import { fromField, toField } from "../../src/features/audit/zoned";
import { sideBySide } from "../../src/features/compare/lines";
import { exported, parsed, type Service } from "../../src/features/definitions/definition";
import { fits as isShown, linesOf } from "../../src/features/logs/line";
import { type Consumer, consumersOf } from "../../src/features/nats/asked";
import { connectionsOf, roundTrip } from "../../src/features/nats/pages";
import { browserOf } from "../../src/features/settings/browser";
import { bytes } from "../../src/lib/bytes";
import { type Preferences, understood } from "../../src/lib/preferences";
import { timesIn } from "../../src/lib/time";
import { methodsOf } from "../../src/features/instances/methods";

const ANY: Wanted = { who: "", action: "", on: "", result: "", since: "", until: "" };

function entry(sequence: number, change: Partial<Entry> = {}): Entry {
  return { sequence, at: `2026-11-28T09:30:${String(sequence).padStart(2, "0")}Z`, who: "anna", action: "drain", on: "trading/trading-1", result: "done", way: "", address: "", code: "", details: {}, instance: "", ...change };
}

test("equal lines stand side by side, and what changed stands next to what it was", () => {
  expect(sideBySide("a\nb\nc\nd", "a\nB\nd\ne")).toEqual([
    { before: "a", after: "a", isChanged: false },
    { before: "b", after: "B", isChanged: true },
    { before: "c", after: null, isChanged: true },
    { before: "d", after: "d", isChanged: false },
    { before: null, after: "e", isChanged: true },
  ]);
});

test("both texts are whole in what is shown side by side, long ones too", () => {
  const before = Array.from({ length: 1_500 }, (_, at) => `${at % 7} ${at}`);
  const after = before.filter((_, at) => at % 3).toReversed();
  const pairs = sideBySide(before.join("\n"), after.join("\n"));
  expect(pairs.flatMap((pair) => pair.before ?? [])).toEqual(before);
  expect(pairs.flatMap((pair) => pair.after ?? [])).toEqual(after);
});

test("what comes live is joined with what was asked for, each entry once and only those wanted", () => {
  const shown = merged([entry(5), entry(4)], [entry(4), entry(5), entry(6), entry(7, { who: "bob" })], { ...ANY, who: "anna" });
  expect(shown.map((one) => one.sequence)).toEqual([6, 5, 4]);
});

test("live entries are wanted as the API wants stored ones", () => {
  expect(fits({ ...ANY, on: "trading/" }, entry(1))).toBe(true);
  expect(fits({ ...ANY, on: "marketdata/" }, entry(1))).toBe(false);
  expect(fits({ ...ANY, result: "refused" }, entry(1))).toBe(false);
  expect(fits({ ...ANY, since: "2026-11-28T09:30:01Z", until: "2026-11-28T09:30:02Z" }, entry(1))).toBe(true);
  expect(fits({ ...ANY, until: "2026-11-28T09:30:01Z" }, entry(1))).toBe(false);
  expect(fits({ ...ANY, who: "_" }, entry(1, { who: "" }))).toBe(true);
});

test("each entry is counted in one bar of the strip", () => {
  const found = bins([entry(9, { result: "unknown" }), entry(5, { result: "refused" }), entry(1)], 8);
  expect(found).toHaveLength(8);
  expect([found[0]!.done, found[4]!.refused, found[7]!.failed]).toEqual([1, 1, 1]);
});

test("a moment is the same in the field and in the address, in each time zone", () => {
  expect(toField("2026-11-28T01:30:00Z", "exchange")).toBe("2026-11-28 09:30");
  expect(fromField("2026-11-28T09:30", "exchange")).toBe("2026-11-28T01:30Z");
  expect(fromField(toField("2026-11-28T01:30Z", "utc"), "utc")).toBe("2026-11-28T01:30Z");
  expect([fromField("2026-11-28 09:30", "exchange"), fromField("2026-11-28", "utc")]).toEqual(["2026-11-28T01:30Z", "2026-11-28T00:00Z"]);
  expect(toField("", "utc") + ["", "28.11.", "2026-11-28 9", "2026-13-01"].map((text) => fromField(text, "utc")).join("")).toBe("");
});

test("what is exported can be imported, and nothing else", () => {
  const echo = { name: "echo", version: "1", methods: ["echo"], description: "", revision: 3, instances: 1 } satisfies Service;
  expect(parsed(exported([echo]))).toEqual({ definitions: [{ name: "echo", version: "1", methods: ["echo"], description: "" }] });
  expect(parsed("{")).toEqual({ reason: "reasonJson" });
  expect(parsed("{}")).toEqual({ reason: "reasonList" });
  expect(parsed('[{"name": "a b"}]')).toEqual({ reason: "reasonItem", at: 1 });
  expect(parsed('[{"name": "a", "methods": [1]}]')).toEqual({ reason: "reasonItem", at: 1 });
  expect(parsed('[{"name": "a"}, {"name": "a"}]')).toEqual({ reason: "reasonTwice", name: "a" });
  expect(parsed(JSON.stringify(Array(501).fill({ name: "a" })))).toEqual({ reason: "tooMany" });
});

test("log lines are in their order, and narrowed by level and text", () => {
  const lines = linesOf(
    new Map([
      ["10", { event: "lost", level: "critical", timestamp: "t", of: { a: 1 } }],
      ["9", { event: "begun", level: "info" }],
    ]),
  );
  expect(lines.map((one) => [one.number, one.level])).toEqual([
    [9, "info"],
    [10, "error"],
  ]);
  expect(lines.filter((one) => isShown(one, "warning", "")).map((one) => one.event)).toEqual(["lost"]);
  expect(lines.filter((one) => isShown(one, "debug", 'OF={"a":1}')).map((one) => one.event)).toEqual(["lost"]);
});

test("a page of NATS is read as far as it says what is asked", () => {
  expect(connectionsOf([{ address: "http://n2:8222", answers: false, page: {} }])).toEqual({ connections: [], all: 0 });
  const { connections, all } = connectionsOf([{ address: "http://n1:8222", answers: true, page: { total: 9, connections: [{ cid: 4, name: "trading-1", lang: "python3", version: "2.16.0", rtt: "1m2.5s", in_msgs: "x" }] } }]);
  expect([all, connections[0]!.id, connections[0]!.client, connections[0]!.roundTripMs, connections[0]!.inMessages]).toEqual([9, "n1:8222 4", "python3 2.16.0", 62_500, 0]);
  expect([roundTrip("340µs"), roundTrip("")]).toEqual([0.34, undefined]);
});

test("sizes and programs are written as people read them", () => {
  expect([bytes(0), bytes(1_023), bytes(1_536), bytes(64 << 20), bytes(3 * 2 ** 40)]).toEqual(["0 B", "1,023 B", "1.5 KiB", "64 MiB", "3.0 TiB"]);
  expect(browserOf("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36")).toBe("Chrome 141, Linux");
  expect(browserOf("curl/8.0")).toBe("curl/8.0");
});

test("methods are those that are defined and those that are called, over all instances", () => {
  const called = { to: "active", method: "place_order", calls_per_s: 2, errors_per_s: 0, p50_ms: 4, p99_ms: 9 };
  const rows = methodsOf(["status", "place_order"], [{ methods: [called] }, { methods: [{ ...called, calls_per_s: 1, errors_per_s: 1, p50_ms: null, p99_ms: 12 }] }]);
  expect(rows.map((one) => [one.name, one.isOfActive, one.calls, one.errors, one.p50, one.p99])).toEqual([
    ["status", false, 0, 0, null, null],
    ["place_order", true, 3, 1, 4, 12],
  ]);
});

test("consumers are those of one stream or of all, the slowest first", () => {
  const rows = [["A", 1], ["B", 5], ["A", 7]].map(([stream, lag]) => ({ stream, lag }) as Consumer);
  expect(consumersOf(rows).map((one) => one.lag)).toEqual([7, 5, 1]);
  expect(consumersOf(rows, "A").map((one) => one.lag)).toEqual([7, 1]);
});

test("a time that is none is shown as it was told: a browser would throw, and the page with it", () => {
  const { time, precise, moment } = timesIn("exchange");
  for (const written of [time, precise, moment]) expect(written("yesterday")).toBe("yesterday");
  expect([time(0), precise("2026-11-28T01:30:00.123Z"), moment("2026-11-28T01:30:00Z")]).toEqual(["08:00:00", "09:30:00.123", "2026-11-28 09:30:00"]);
});

test("preferences that this release does not know are as if they were not set", () => {
  const usual: Preferences = { theme: "dark", language: "en", zone: "exchange", rise: "auto" };
  expect(understood({ theme: "light", language: "de", zone: "tokyo", more: 1 }, usual)).toEqual({ ...usual, theme: "light" });
  for (const nonsense of [null, 1, "dark", []]) expect(understood(nonsense, usual)).toEqual(usual);
});
