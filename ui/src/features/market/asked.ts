"use client";

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { answered, api, type Lease, type Schemas } from "@/lib/api/client";
import type { Problem } from "@/lib/api/problem";
import { useRows } from "@/lib/live/hooks";
import type { Contract, Subscription } from "./quotes";

const AGAIN_MS = 5_000;
const RARELY_MS = 120_000;
const MOST_PAGES = 8;

/** All that a paged answer has, up to 4,000 rows; `isCut`: there are more. */
async function allPages<T>(page: (after: string) => Promise<{ rows: T[]; next: string }>): Promise<{ rows: T[]; isCut: boolean }> {
  const rows: T[] = [];
  let after = "";
  for (let count = 0; count < MOST_PAGES; count++) {
    const found = await page(after);
    rows.push(...found.rows);
    after = found.next;
    if (!after) return { rows, isCut: false };
  }
  return { rows, isCut: true };
}

/** What somebody wants, and what became of it, by name; as long as nothing is known of it, why. */
export function useCoverage(): { data?: Subscription[]; error: Problem | null } {
  const { rows, isWhole, refusal, trouble } = useRows<Subscription>("coverage");
  return useMemo(() => {
    if (!isWhole) return { error: refusal ?? trouble?.problem ?? null };
    return { data: rows.toSorted((a, b) => (a.instrument < b.instrument ? -1 : 1)), error: null };
  }, [rows, isWhole, refusal, trouble]);
}

export interface Listing {
  exchange: string;
  product: string;
  expiry: string;
  kind?: Contract["kind"];
}

/** The contracts that the feed lists. */
export function useContracts(of: Listing, isAsked = true) {
  return useQuery({
    queryKey: ["market", "contracts", of],
    queryFn: () =>
      allPages<Contract>(async (after) => {
        const { instruments, next } = await answered(api.GET("/api/market/contracts", { params: { query: { ...of, after } } }));
        return { rows: instruments, next };
      }),
    staleTime: RARELY_MS,
    enabled: isAsked,
  });
}

/** The facts of all futures by name. */
export function useFacts(): ReadonlyMap<string, Contract> {
  const { data } = useContracts({ exchange: "", product: "", expiry: "", kind: "future" });
  return useMemo(() => new Map(data?.rows.map((one) => [one.instrument, one])), [data]);
}

/** What the health agent of the first feed set says; `feed` is empty where nobody watches one. */
export function useHealth() {
  const { rows } = useRows<Lease>("leases");
  const feed = rows.filter((one) => one.service === "health" && one.holder).map((one) => one.key).sort()[0] ?? "";
  const report = useQuery({
    queryKey: ["market", "health", feed],
    queryFn: () => answered(api.GET("/api/market/health/{feed}", { params: { path: { feed } } })),
    refetchInterval: AGAIN_MS,
    enabled: feed !== "",
  });
  const alarms = useMemo(() => new Map(report.data?.cases.map((one) => [one.instrument, one])), [report.data]);
  const phases = useMemo(() => new Map(report.data?.exchanges.map((one) => [one.exchange, one])), [report.data]);
  return { feed, report, alarms, phases };
}

export type Health = ReturnType<typeof useHealth>;
export type ExchangeView = Schemas["ExchangeView"];

export function useWishes() {
  return useQuery({ queryKey: ["market", "wishes"], queryFn: () => answered(api.GET("/api/market/wishes")), refetchInterval: AGAIN_MS });
}
