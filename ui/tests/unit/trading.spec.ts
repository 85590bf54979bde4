import { expect, test } from "@playwright/test";
import { environmentOf, saidBy } from "../../src/features/shell/environment";
import { readFileSync } from "node:fs";
import { bookOf, type Contract, type Order, type Position, type Quote } from "../../src/features/trading/model";
import { gain, money, shownPrice } from "../../src/features/trading/money";
import { oldness } from "../../src/features/trading/old-price";
import { outcomeOf } from "../../src/features/trading/outcome";
import { REASONS } from "../../src/features/trading/reason-words";
import { closing, type Draft, isInstrument, newName, placeCommand, stepped, ticketOf, troublesOf } from "../../src/features/trading/ticket";
import { Problem } from "../../src/lib/api/problem";

const DRAFT: Draft = { instrument: "SHFE.rb2605", side: "buy", effect: "open", hedge: "speculation", type: "limit", price: "3100", lots: "2" };
const CONTRACT = { instrument: "SHFE.rb2605", multiplier: 10, price_tick: 1 } as Contract;
const QUOTE = { upper_limit_price: 3200, lower_limit_price: 3000, bids: [[3099, 5]], asks: [[3100, 4]] } as unknown as Quote;

function problem(status: number, code: string, details: Problem["details"] = {}): Problem {
  return new Problem({ status, code, title: "", detail: "", reason: "", errors: [], details });
}

test("an order is unknown unless somebody says that nothing was done", () => {
  const first = (status: number, code: string) => outcomeOf(problem(status, code), false);
  expect(first(504, "outcome_unknown")).toBe("unknown");
  expect(first(0, "unreachable")).toBe("unknown");
  expect(first(502, "internal")).toBe("unknown");
  expect(first(503, "internal")).toBe("unknown"); // a balancer's word, not ours
  expect(first(503, "venue_unavailable")).toBe("refused");
  expect(first(503, "unavailable")).toBe("refused");
  expect(first(422, "order_rejected")).toBe("refused");
  expect(first(422, "order_expired")).toBe("unknown"); // it may have traded before its day ended
  expect(first(403, "role_needed")).toBe("refused");
});

test("what was unknown stays so until the trading service itself settles it", () => {
  const again = (status: number, code: string, details?: Problem["details"]) => outcomeOf(problem(status, code, details), true);
  expect(again(503, "unavailable")).toBe("unknown");
  expect(again(503, "venue_unavailable")).toBe("unknown");
  expect(again(401, "not_signed_in")).toBe("unknown");
  expect(again(422, "invalid")).toBe("unknown");
  expect(again(422, "order_rejected", { reason: "duplicate_id" })).toBe("unknown");
  expect(again(422, "order_rejected", { reason: "price_tick" })).toBe("refused");
});

test("a draft tells what is wrong with it", () => {
  const troubles = (change: Partial<Draft>) => troublesOf({ ...DRAFT, ...change }, CONTRACT, QUOTE);
  expect(troubles({})).toEqual({});
  expect(troubles({ instrument: "rb2605" })).toEqual({ instrument: "no_instrument" });
  expect(troubles({ price: "" })).toEqual({ price: "no_price" });
  expect(troubles({ price: "3100.5" })).toEqual({ price: "price_tick" });
  expect(troubles({ price: "3201" })).toEqual({ price: "above_limit" });
  expect(troubles({ price: "2999" })).toEqual({ price: "below_limit" });
  for (const lots of ["", "0", "1.5", "-1", "1e3"]) expect(troubles({ lots }), lots).toEqual({ lots: "no_lots" });
  expect(troubles({ type: "market", price: "" })).toEqual({});
});

test("as long as nothing is known of the contract no price is known to be one, and a market order needs none", () => {
  const troubles = (contract: Contract | undefined, change: Partial<Draft> = {}) => troublesOf({ ...DRAFT, ...change }, contract, QUOTE);
  for (const contract of [undefined, { ...CONTRACT, price_tick: null }]) {
    expect(troubles(contract)).toEqual({ price: "no_tick" });
    expect(troubles(contract, { price: "3100.5" })).toEqual({ price: "no_tick" });
    expect(troubles(contract, { type: "market", price: "" })).toEqual({});
  }
});

test("a price goes by ticks, one between two ticks to the next", () => {
  expect(stepped(3100, 1, 1)).toBe("3101");
  expect(stepped(3100.4, 1, 1)).toBe("3101");
  expect(stepped(3100.4, -1, 1)).toBe("3100");
  expect(stepped(4568.2, 1, 0.2)).toBe("4568.4");
  expect(stepped(101.285, -1, 0.005)).toBe("101.280");
  expect(stepped(0, -1, 0.5)).toBe("-0.5");
});

test("a split is a close of which the trading service chooses the lots", () => {
  expect(ticketOf({ ...DRAFT, effect: "today_first" }, "a")).toMatchObject({ offset: "close", split: "today_first", price: "3100", volume: 2 });
  expect(ticketOf({ ...DRAFT, type: "market" }, "a")).toMatchObject({ offset: "open", split: null, price: null });
});

test("the command places the same order", () => {
  const command = placeCommand("paper", ticketOf({ ...DRAFT, effect: "lock" }, "mine-1")).join(" ");
  expect(command).toBe("aegis order place SHFE.rb2605 buy 2 3100 --offset close --split lock --type limit --id mine-1 --account paper");
  expect(placeCommand("paper", ticketOf({ ...DRAFT, hedge: "arbitrage" }, "")).join(" ")).toBe("aegis order place SHFE.rb2605 buy 2 3100 --offset open --hedge arbitrage --type limit --account paper");
});

test("a position is closed by the other side, without the lots that orders hold back", () => {
  const long = { instrument: "SHFE.rb2605", direction: "long", today: 3, yesterday: 2, frozen_today: 1, frozen_yesterday: 0 } as Position;
  expect(closing(long)).toMatchObject({ side: "sell", effect: "yesterday_first", lots: "4", price: "" });
  expect(closing({ ...long, instrument: "DCE.m2605", direction: "short" })).toMatchObject({ side: "buy", effect: "close" });
  expect(ticketOf(closing({ ...long, hedge: "hedge" }), "a").hedge).toBe("hedge"); // and not what else is long
});

test("prices are old after some seconds, where the exchange trades", () => {
  const at = (age: number, phase?: string) => oldness({ ts_received_ns: 1e15 }, phase, 1e9 + age);
  expect([at(5_000, "trading"), at(10_001, "trading"), at(3_600_000, "break"), at(3_600_000)]).toEqual([0, 10_001, 0, 0]);
  expect(oldness(undefined, "trading", 1e9)).toBe(0);
});

test("names of orders are what the trading service takes, and never the same", () => {
  const names = Array.from({ length: 100 }, newName);
  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(/^[0-9a-f]{16}$/);
  expect(["SHFE.rb2605", "CZCE.SR605"].map(isInstrument)).toEqual([true, true]);
});

test("money is exact to the cent", () => {
  expect(money("123456789012345.675")).toBe("123,456,789,012,345.68");
  expect(money("1.005")).toBe("1.01");
  expect(gain("1.00000000")).toBe("+1.00");
  expect(gain("-0.125")).toBe("-0.13");
  expect(["3100", "3100.500000", "3100.000", "0", "-12.5", "1234567.891"].map(shownPrice)).toEqual(["3,100", "3,100.5", "3,100", "0", "-12.5", "1,234,567.891"]);
});

test("a book has the orders of the day, the latest first", () => {
  const book = bookOf(
    new Map<string, unknown>([
      ["order.a", { client_order_id: "a", ts_created_ns: 1 } as Order],
      ["order.b", { client_order_id: "b", ts_created_ns: 2 } as Order],
      ["account", { account: "paper" }],
      ["position.DCE.m2605.long.speculation", { instrument: "DCE.m2605" }],
    ]),
  );
  expect(book.orders.map((one) => one.client_order_id)).toEqual(["b", "a"]);
  expect(book.account).toEqual({ account: "paper" });
  expect(book.positions).toHaveLength(1);
});

for (const [document, mark] of [
  ["trading.md", "<!-- reasons -->"],
  ["paper.md", "| reason | refused where |"],
] as const) {
  test(`every reason of ${document} is said in words`, () => {
    const text = readFileSync(new URL(`../../../docs/${document}`, import.meta.url), "utf8");
    const table = text.slice(text.indexOf(mark)).split("\n\n")[0]!;
    const reasons = [...table.matchAll(/^\| (.*?) \|/gm)].flatMap((row) => [...row[1]!.matchAll(/`(\w+)`/g)].map((name) => name[1]!));
    expect(reasons.length).toBeGreaterThan(8);
    expect(reasons.filter((one) => !(one in REASONS.en))).toEqual([]);
  });
}

test("what a desk was is not said of it once nobody answers", () => {
  const data = [{ account: "a", key: "a", env: "paper" as const }];
  expect(saidBy({ data, status: "success" })).toBe("paper");
  expect(saidBy({ data, status: "error" })).toBe("unknown");
});

test("a desk is never taken for less than one of its accounts might be", () => {
  const of = (...all: ("sim" | "paper" | "live" | null)[]) => environmentOf(all.map((env) => ({ env })));
  expect(environmentOf(undefined)).toBe("unknown");
  expect([of(), of("sim"), of("sim", "paper"), of("paper", null), of("paper", null, "live")]).toEqual(["none", "sim", "paper", "unknown", "live"]);
  expect(of(...Array<"paper">(40).fill("paper"), "live")).toBe("live");
});
