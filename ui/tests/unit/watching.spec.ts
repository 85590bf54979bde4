import { expect, test } from "@playwright/test";
import { Watch } from "../../src/features/shell/watching";
import { fleetOf } from "../../src/features/instances/fleet";
import { pagesFor } from "../../src/features/shell/use-pages";
import { ranked } from "../../src/features/shell/ranking";
import { commandLine } from "../../src/components/ui/copy";
import { Attention } from "../../src/lib/api/attended";
import { duration } from "../../src/lib/time";
import type { Instance, Lease } from "../../src/lib/api/client";
import type { Role } from "../../src/lib/roles";

function instance(change: Partial<Instance> = {}): Instance {
  return { service: "trading", instance: "trading-1", incarnation: "1", status: "ACTIVE", ...change } as Instance;
}

function rows(...all: Instance[]): Map<string, Instance> {
  return new Map(all.map((one) => [`${one.service}.${one.instance}`, one]));
}

test("the first look tells nothing", () => {
  expect(new Watch().seeInstances(rows(instance()), 1)).toBe(false);
});

test("who is gone without having said so is lost, until he is there again", () => {
  const watch = new Watch();
  watch.seeInstances(rows(instance()), 1);
  watch.seeInstances(rows(), 2);
  expect(watch.changes[0]).toMatchObject({ kind: "lost", name: "trading-1", at: 2 });
  const shown = fleetOf(rows(instance({ instance: "trading-2" })), [...watch.lost.values()]);
  expect(shown.map((one) => [one.instance, one.shown])).toEqual([
    ["trading-1", "LOST"],
    ["trading-2", "ACTIVE"],
  ]);
  watch.seeInstances(rows(instance({ incarnation: "2" })), 3);
  expect(watch.changes[0]).toMatchObject({ kind: "restarted" });
  expect(watch.lost.size).toBe(0);
});

test("who had drained was stopped, not lost", () => {
  const watch = new Watch();
  watch.seeInstances(rows(instance({ status: "DRAINING" })), 1);
  watch.seeInstances(rows(), 2);
  expect(watch.changes[0]).toMatchObject({ kind: "stopped" });
  expect(watch.lost.size).toBe(0);
});

test("who says goodbye at once was stopped, and that is told once", () => {
  const watch = new Watch();
  watch.seeInstances(rows(instance()), 1);
  watch.seeInstances(rows(instance({ status: "GONE" })), 2);
  watch.seeInstances(rows(), 3);
  expect(watch.changes.map((one) => one.kind)).toEqual(["stopped"]);
  expect(watch.lost.size).toBe(0);
});

test("who was lost on purpose is forgotten when that is said, and is new when it comes again", () => {
  const watch = new Watch();
  watch.seeInstances(rows(instance()), 1);
  watch.seeInstances(rows(), 2);
  watch.forget("trading.trading-1");
  expect(fleetOf(rows(), [...watch.lost.values()])).toEqual([]);
  watch.seeInstances(rows(instance({ incarnation: "2" })), 3);
  expect(watch.changes[0]).toMatchObject({ kind: "came" });
});

test("a restart between two looks is told by the incarnation", () => {
  const watch = new Watch();
  watch.seeInstances(rows(instance()), 1);
  watch.seeInstances(rows(instance({ incarnation: "2" })), 2);
  expect(watch.changes).toMatchObject([{ kind: "restarted" }]);
});

test("a key that changes its holder has moved", () => {
  const watch = new Watch();
  const lease = { service: "trading", key: "paper", holder: "trading-1", epoch: 4, state: "ACTIVE" } as Lease;
  watch.seeLeases(new Map([["trading.paper", lease]]), 1);
  watch.seeLeases(new Map([["trading.paper", { ...lease, holder: "trading-2", epoch: 5 }]]), 2);
  expect(watch.changes).toMatchObject([{ kind: "key-moved", from: "trading-1", to: "trading-2" }]);
});

test("letters in their order find a name, a whole word before them", () => {
  expect(ranked(["market data", "leases", "trading / trading-1"], (one) => one, "t1")).toEqual(["trading / trading-1"]);
  expect(ranked(["a leap", "pale", "le"], (one) => one, "le")).toEqual(["le", "a leap", "pale"]);
  expect(ranked(["leases"], (one) => one, "x")).toEqual([]);
});

test("a command is quoted where a shell would read something else", () => {
  expect(commandLine("aegis", "drain", "it's $HOME")).toBe(`aegis drain 'it'\\''s $HOME'`);
});

test("a length of time has at most two units", () => {
  expect([0, 999, 4_200, 200_000, 7_500_000, 183_600_000].map(duration)).toEqual(["0 ms", "999 ms", "4.2 s", "3 m 20 s", "2 h 5 m", "2 d 3 h"]);
});

test("pages are shown by role alone, so that none leaves while its service is away", () => {
  const shown = (role: Role) => pagesFor(role).map((page) => page.href);
  expect(shown("viewer")).toEqual(["/", "/leases", "/market", "/trading", "/definitions", "/nats", "/settings"]);
  expect(shown("trader")).toEqual(shown("viewer"));
  expect(shown("operator")).toEqual(["/", "/leases", "/market", "/trading", "/definitions", "/nats", "/audit", "/logs", "/settings"]);
});

test("what a page asks is attended once for all that somebody has done since", () => {
  const page = new EventTarget();
  const attention = new Attention(page);
  expect([attention.take(), attention.take()]).toEqual([true, false]);
  page.dispatchEvent(new Event("pointermove"));
  page.dispatchEvent(new Event("keydown"));
  expect([attention.take(), attention.take()]).toEqual([true, false]);
  page.dispatchEvent(new Event("scroll")); // a list that goes on by itself scrolls, too
  expect(attention.take()).toBe(false);
});
