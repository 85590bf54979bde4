import { expect, test } from "@playwright/test";
import { mock } from "node:test";
import { LiveConnection } from "../../src/lib/live/connection";

/** The other end of a connection, which says only what a test says. */
class Server {
  static all: Server[] = [];
  static readonly OPEN = 1;
  readyState = 0;
  asked: { op: string; topics: object[] }[] = [];
  onopen: () => void = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: (event: { code: number }) => void = () => undefined;

  constructor() {
    Server.all.push(this);
  }

  send(text: string): void {
    this.asked.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 2; // its end is not told, as of a machine that is gone
  }

  /** Let it in, with a word that the desk is heard. */
  open(): this {
    this.readyState = Server.OPEN;
    this.onopen();
    this.tell({ type: "alive", hears: "fresh" });
    return this;
  }

  tell(...messages: object[]): void {
    for (const message of messages) this.onmessage({ data: JSON.stringify(message) });
    mock.timers.tick(20); // a frame
  }

  /** Let it in for a moment, where there is no room. */
  full(): void {
    this.readyState = Server.OPEN;
    this.onopen();
    this.readyState = 3;
    this.onclose({ code: 1013 });
  }

  /** End it, and let it be connected to another one. */
  cut(): Server {
    this.readyState = 3;
    this.onclose({ code: 1006 });
    mock.timers.tick(400);
    return last();
  }
}

const BROWSER = {
  WebSocket: Server,
  window: { location: { href: "http://desk/" } },
  requestAnimationFrame: (work: () => void) => setTimeout(work, 16),
  cancelAnimationFrame: (timer: number) => clearTimeout(timer),
};
const last = () => Server.all.at(-1)!;
const rows = (of: object) => ({ type: "snapshot", topic: "orders.paper", origin: "a", sequence: 1, part: 0, parts: 1, rows: of, gone: [] });
const UNSERVED = { code: "unavailable", reason: "key_unserved", details: { service: "trading", key: "paper" } };
const state = (of: string, problem: object | null = null) => ({ type: "state", topic: "orders.paper", state: of, since: "2026-11-29T01:00:00Z", problem });
let connection: LiveConnection;

test.beforeEach(() => {
  Server.all = [];
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  Object.assign(globalThis, BROWSER);
  connection = new LiveConnection(() => undefined);
  connection.start();
});

test.afterEach(() => {
  connection.stop();
  mock.timers.reset();
  for (const name in BROWSER) Reflect.deleteProperty(globalThis, name); // other tests are of none
});

/** Somebody looks at the orders, which are known. */
function looking(): Server {
  const server = last().open();
  connection.follow("orders.paper", () => undefined);
  server.tell(rows({ account: 1 }), state("live"));
  expect(connection.status.state).toBe("live");
  return server;
}

test("who says nothing for five seconds is left, however long his end is not told", () => {
  const server = looking();
  mock.timers.tick(3_500);
  expect(connection.status.state).toBe("stale");
  expect(Server.all).toHaveLength(1);
  mock.timers.tick(2_000);
  expect(connection.status.state).toBe("lost");
  expect(server.readyState).toBe(2);
  mock.timers.tick(500);
  expect(Server.all).toHaveLength(2);
  server.onclose({ code: 1006 }); // late
  last().open();
  expect(last().asked).toEqual([{ op: "subscribe", topics: [{ topic: "orders.paper", origin: "a", sequence: 1 }] }]);
});

test("who does not let us in is left, too", () => {
  mock.timers.tick(5_500);
  mock.timers.tick(500);
  expect(Server.all).toHaveLength(2);
});

test("a source that fails is told while the connection is live, and its rows stay", () => {
  const server = looking();
  server.tell(state("failing", UNSERVED));
  expect(connection.status).toMatchObject({ state: "partly", troubles: [{ topic: "orders.paper", state: "failing", problem: UNSERVED }] });
  expect(connection.view("orders.paper")).toMatchObject({ isWhole: true, trouble: { state: "failing", since: Date.parse("2026-11-29T01:00:00Z") } });
  expect([...connection.view("orders.paper").rows.keys()]).toEqual(["account"]);
  server.tell(rows({ account: 2 }), state("live"));
  expect(connection.status).toMatchObject({ state: "live", troubles: [] });
  expect(connection.view("orders.paper").trouble).toBeNull();
});

test("what was shown before a cut stays, and is not live before its source has told it anew", () => {
  const server = looking();
  const next = server.cut().open();
  expect(connection.status).toMatchObject({ state: "partly", troubles: [{ topic: "orders.paper", state: "filling" }] });
  next.tell(state("filling"));
  expect(connection.status.state).toBe("partly");
  expect([...connection.view("orders.paper").rows.keys()]).toEqual(["account"]);
  next.tell(rows({ account: 2 }), state("live"));
  expect(connection.status.state).toBe("live");
});

test("after a cut nothing is live before the desk is heard again", () => {
  const next = looking().cut();
  next.readyState = Server.OPEN;
  next.onopen();
  next.tell({ type: "hello", instance: "management-2" });
  mock.timers.tick(1_000);
  expect(connection.status.state).toBe("lost");
});

test("a first look that is being filled is no trouble, one that fails is", () => {
  const server = last().open();
  connection.follow("orders.paper", () => undefined);
  server.tell(state("filling"));
  expect(connection.status.state).toBe("live");
  server.tell(state("failing", UNSERVED));
  expect(connection.status.state).toBe("partly");
});

test("what nobody looks at troubles nobody", () => {
  const server = last().open();
  const leave = connection.follow("orders.paper", () => undefined);
  server.tell(state("failing"));
  leave();
  expect(connection.status).toMatchObject({ state: "live", troubles: [] });
});

test("of what is refused no rows are left", () => {
  const server = looking();
  server.tell({ type: "refused", topic: "orders.paper", problem: { code: "not_found" } });
  expect(connection.view("orders.paper")).toMatchObject({ isWhole: false, refusal: { code: "not_found" }, trouble: null });
  expect(connection.view("orders.paper").rows.size).toBe(0);
});

test("where there is no room it is tried more and more seldom, and told why, until there is some", () => {
  last().full();
  for (let second = 0; second < 60; second++) {
    mock.timers.tick(1_000);
    if (last().readyState === 0) last().full();
  }
  expect(Server.all.length).toBeLessThan(25); // every four seconds, not four times a second
  expect(connection.status).toMatchObject({ state: "lost", isFull: true });
  while (last().readyState !== 0) mock.timers.tick(1_000);
  last().open().tell({ type: "hello", instance: "management-1" });
  expect(connection.status).toMatchObject({ isFull: false, instance: "management-1" });
});
