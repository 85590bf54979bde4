"use client";

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Health } from "@/components/ui/badge";
import { answered, api, type Schemas } from "@/lib/api/client";
import type { TopicView } from "@/lib/live/connection";
import { useTopic } from "@/lib/live/hooks";

export type Account = Schemas["Account"];
export type Order = Schemas["Order"];
export type Position = Schemas["Position"];
export type Trade = Schemas["Trade"];
export type Contract = Schemas["InstrumentView"];
export type Ticket = Schemas["Ticket"];

/** What an account has now: its money, its positions, and its orders of the day, the latest first. */
export interface Book {
  account: Account | null;
  positions: Position[];
  orders: Order[];
}

const FINAL: ReadonlySet<Order["status"]> = new Set(["filled", "cancelled", "rejected", "expired", "not_sent"]);

export function isWorking(order: Order): boolean {
  return !FINAL.has(order.status);
}

export const ORDER_HEALTH: Record<Order["status"], Health> = {
  pending: "moving",
  unknown: "warn",
  accepted: "well",
  partly_filled: "well",
  filled: "idle",
  cancelled: "idle",
  expired: "idle",
  rejected: "bad",
  not_sent: "warn",
};

/** The rows of the topic `orders.<account>`, by what they are. */
export function bookOf(rows: ReadonlyMap<string, unknown>): Book {
  const book: Book = { account: null, positions: [], orders: [] };
  for (const [key, row] of rows) {
    if (key === "account") book.account = row as Account;
    else if (key.startsWith("position.")) book.positions.push(row as Position);
    else if (key.startsWith("order.")) book.orders.push(row as Order);
  }
  book.positions.sort((a, b) => (positionKey(a) < positionKey(b) ? -1 : 1));
  book.orders.sort((a, b) => b.ts_created_ns - a.ts_created_ns);
  return book;
}

export function positionKey({ instrument, direction, hedge }: Position): string {
  return `${instrument}.${direction}.${hedge}`;
}

/** The book as it is; it changes at most ten times a second. */
export function useBook(account: string): Omit<TopicView, "rows"> & { book: Book } {
  const topic = useTopic<unknown>(account && `orders.${account}`);
  return useMemo(() => ({ ...topic, book: bookOf(topic.rows) }), [topic]);
}

/** The part of a tick that a ticket shows. A level of a book is a price and its lots. */
export interface Quote {
  ts_exchange_ns: number;
  ts_received_ns: number;
  last_price: number | null;
  pre_settlement_price: number | null;
  upper_limit_price: number | null;
  lower_limit_price: number | null;
  bids: [number, number][];
  asks: [number, number][];
}

/** The latest tick of an instrument, as long as market data has one. */
export function useQuote(instrument: string): Omit<TopicView, "rows"> & { quote: Quote | undefined } {
  const topic = useTopic<Quote>(instrument && `ticks.${instrument}`);
  return { ...topic, quote: topic.rows.get(instrument) };
}

const PAGES = 10;
const A_DAY_MS = 86_400_000;
const AGAIN_MS = 2_000;
const MISSING_AGAIN_MS = 5_000;

/**
 * The futures that the feed lists, by name: some eight hundred, in pages of 500. Orders are of futures only. Before the
 * first session of a feed there are none; then, and where they cannot be had, they are asked for until there are some,
 * and as long as the one that is `wanted` is not among them.
 */
export function useContracts(wanted = ""): ReadonlyMap<string, Contract> {
  const again = (known: Contract[] | undefined) => {
    if (!known?.length) return AGAIN_MS;
    return wanted && !known.some((one) => one.instrument === wanted) ? MISSING_AGAIN_MS : false;
  };
  const query = useQuery({ queryKey: ["futures"], queryFn: futures, staleTime: A_DAY_MS, refetchInterval: ({ state }) => again(state.data) });
  return useMemo(() => new Map((query.data ?? []).map((one) => [one.instrument, one])), [query.data]);
}

async function futures(): Promise<Contract[]> {
  const all: Contract[] = [];
  let after = "";
  for (let page = 0; page < PAGES; page++) {
    const found = await answered(api.GET("/api/market/contracts", { params: { query: { kind: "future", after } } }));
    all.push(...found.instruments);
    after = found.next;
    if (!after) break;
  }
  return all;
}
