"use client";

import { useQueries, useQuery, type UseQueryResult } from "@tanstack/react-query";
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

export type Report = Schemas["HealthReport"];
export type Level = Report["level"];
export type ExchangeView = Schemas["ExchangeView"];

const WORST_FIRST: Level[] = ["critical", "degraded", "unknown", "healthy"];

interface Asked {
  data?: Report | undefined;
  error: unknown;
}

export function levelOf({ data, error }: Asked): Level {
  return error ? "unknown" : (data?.level ?? "unknown");
}

/** What the agents of all feed sets say together: the worst of their levels, which is unknown of one that does not answer; all alarms, as they were said last; and an exchange trades where one says so. */
export function together(asked: readonly Asked[]) {
  const reports = asked.flatMap((one) => one.data ?? []);
  const levels = asked.map(levelOf);
  const phases = new Map<string, ExchangeView>();
  for (const one of reports.flatMap((report) => report.exchanges)) {
    if (!phases.has(one.exchange) || one.phase === "trading") phases.set(one.exchange, one);
  }
  return {
    level: asked.some((one) => one.data || one.error) ? WORST_FIRST.find((one) => levels.includes(one)) : undefined,
    cases: reports.reduce((sum, one) => sum + one.cases.length, 0),
    alarms: new Map(reports.flatMap((report) => report.cases).map((one) => [one.instrument, one])),
    phases,
  };
}

/** What the health agents say of their feed sets, of each that was ever watched; `feeds` are their names. */
export function useHealth() {
  const { rows } = useRows<Lease>("leases");
  const feeds = useMemo(() => rows.filter((one) => one.service === "health").map((one) => one.key).sort(), [rows]);
  const said = useQueries({
    queries: feeds.map((feed) => ({
      queryKey: ["market", "health", feed],
      queryFn: () => answered(api.GET("/api/market/health/{feed}", { params: { path: { feed } } })),
      refetchInterval: AGAIN_MS,
    })),
    combine,
  });
  return useMemo(() => ({ feeds, ...said }), [feeds, said]);
}

function combine(asked: UseQueryResult<Report>[]) {
  return { ...together(asked), queries: asked };
}

export type Health = ReturnType<typeof useHealth>;

export function useWishes() {
  return useQuery({ queryKey: ["market", "wishes"], queryFn: () => answered(api.GET("/api/market/wishes")), refetchInterval: AGAIN_MS });
}
