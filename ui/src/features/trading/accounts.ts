"use client";

import { useQueries, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api/client";
import type { Account } from "./model";

const AGAIN_MS = 5_000;
const MOST_ASKED = 50;

type Listed = Schemas["AccountListed"];

/** All accounts; their names, and under which key of the service `trading` each is. */
export function useAccounts(): { listed: Listed[]; names: string[]; keys: ReadonlyMap<string, string>; query: UseQueryResult<Listed[]> } {
  const query = useQuery({ queryKey: ["accounts"], queryFn: () => answered(api.GET("/api/trading/accounts")) });
  const listed = query.data ?? [];
  return { listed, names: listed.map((one) => one.account), keys: new Map(listed.map((one) => [one.account, one.key])), query };
}

/** What each of these accounts has, asked every five seconds. */
export function useAccountStates(names: string[]): Map<string, Account> {
  const asked = useQueries({
    queries: names.slice(0, MOST_ASKED).map((account) => ({
      queryKey: ["account", account],
      queryFn: () => answered(api.GET("/api/trading/accounts/{account}", { params: { path: { account } } })),
      refetchInterval: AGAIN_MS,
    })),
  });
  return new Map(asked.flatMap((one) => (one.data ? [[one.data.account, one.data] as const] : [])));
}
