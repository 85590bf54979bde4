import { expect, test } from "@playwright/test";
import { LiveTable, type Told } from "../../src/lib/live/table";

function told(change: Partial<Told>): Told {
  return { type: "delta", topic: "leases", origin: "a", sequence: 1, part: 0, parts: 1, rows: {}, gone: [], ...change };
}

test("a snapshot in parts is shown when its last part has come", () => {
  const table = new LiveTable();
  expect(table.take(told({ type: "snapshot", sequence: 5, parts: 2, rows: { a: 1 } }))).toBe(false);
  expect(table.isWhole).toBe(false);
  expect(table.wanted("leases")).toEqual({ topic: "leases" });
  expect(table.take(told({ type: "snapshot", sequence: 5, part: 1, parts: 2, rows: { b: 2 } }))).toBe(true);
  expect([...table.rows]).toEqual([
    ["a", 1],
    ["b", 2],
  ]);
  expect(table.wanted("leases")).toEqual({ topic: "leases", origin: "a", sequence: 5 });
});

test("a delta sets rows and takes others out, and a new snapshot forgets what it has not", () => {
  const table = new LiveTable();
  table.take(told({ type: "snapshot", rows: { a: 1, b: 2 } }));
  table.take(told({ sequence: 2, rows: { c: 3 }, gone: ["a"] }));
  expect([...table.rows.keys()]).toEqual(["b", "c"]);
  table.take(told({ type: "snapshot", origin: "b", sequence: 1, rows: { d: 4 } }));
  expect([...table.rows.keys()]).toEqual(["d"]);
  expect(table.wanted("leases")).toEqual({ topic: "leases", origin: "b", sequence: 1 });
});

test("the rest of a snapshot that a cut has torn is not taken for all of it", () => {
  const table = new LiveTable();
  table.take(told({ type: "snapshot", sequence: 5, parts: 2, rows: { a: 1 } }));
  table.cut();
  expect(table.take(told({ type: "snapshot", sequence: 6, part: 1, parts: 2, rows: { b: 2 } }))).toBe(false);
  expect(table.isWhole).toBe(false);
});

test("a delta in parts is gone on from only when all of it has come", () => {
  const table = new LiveTable();
  table.take(told({ type: "snapshot", sequence: 1 }));
  table.take(told({ sequence: 9, parts: 2, rows: { a: 1 } }));
  expect(table.wanted("leases")).toMatchObject({ sequence: 1 });
  table.take(told({ sequence: 9, part: 1, parts: 2, rows: { b: 1 } }));
  expect(table.wanted("leases")).toMatchObject({ sequence: 9 });
});
