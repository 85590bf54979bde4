"use client";

import { useMemo, useSyncExternalStore } from "react";
import type { Ticket } from "./model";

/** An order of which it is not known whether the venue has it. */
export interface Unsettled {
  account: string;
  ticket: Ticket;
  /** When it was asked for last, in milliseconds. */
  at: number;
}

const KEY = "aegis.unsettled";
const NONE: Unsettled[] = [];
/** Names of orders that are asked for the first time just now: they are kept, but nothing is wrong with them yet. */
const underWay = new Set<string>();
const listeners = new Set<() => void>();
let known: Unsettled[] | null = null;

/** Kept with the tab, so that a reload does not forget them. */
function all(): Unsettled[] {
  try {
    return (known ??= JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as Unsettled[]);
  } catch {
    return (known ??= NONE);
  }
}

function change(next: Unsettled[]): void {
  known = next;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // a browser that stores nothing: they are kept until the page is left
  }
  listeners.forEach((listener) => listener());
}

function without(account: string, name: string): Unsettled[] {
  return all().filter((one) => one.account !== account || one.ticket.client_order_id !== name);
}

/** Before it is asked for: a tab that is closed or reloaded in the middle does not forget it. */
export function keepUnsettled(one: Unsettled, isUnderWay: boolean): void {
  const name = one.ticket.client_order_id;
  if (isUnderWay) underWay.add(name);
  else underWay.delete(name);
  change([...without(one.account, name), one]);
}

export function settle(account: string, name: string): void {
  underWay.delete(name);
  change(without(account, name));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useUnsettled(account: string): Unsettled[] {
  const found = useSyncExternalStore(subscribe, all, () => NONE);
  return useMemo(() => found.filter((one) => one.account === account && !underWay.has(one.ticket.client_order_id)), [found, account]);
}
