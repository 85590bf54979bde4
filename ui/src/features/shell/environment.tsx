"use client";

import { useQueries, useQuery } from "@tanstack/react-query";
import { cx } from "@/components/ui/cx";
import { answered, api } from "@/lib/api/client";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

const MOST_ASKED = 16;
const AGAIN_MS = 30_000;
const LOOKS = {
  sim: "border-strong text-soft",
  paper: "border-accent text-accent",
  live: "border-bad bg-bad text-ground",
  none: "border-strong text-faint",
} as const;
export type Environment = keyof typeof LOOKS;

/** What orders of this desk do: `live` where one account is, else `paper`, else `sim`; undefined before it is known. */
export function useEnvironment(): Environment | undefined {
  const accounts = useQuery({
    queryKey: ["accounts"],
    queryFn: () => answered(api.GET("/api/trading/accounts")),
    refetchInterval: AGAIN_MS,
  });
  const asked = useQueries({
    queries: (accounts.data ?? []).slice(0, MOST_ASKED).map(({ account }) => ({
      queryKey: ["account", account],
      queryFn: () => answered(api.GET("/api/trading/accounts/{account}", { params: { path: { account } } })),
      refetchInterval: AGAIN_MS,
    })),
  });
  if (accounts.data?.length === 0) return "none";
  const found = new Set(asked.map((one) => one.data?.env));
  return (["live", "paper", "sim"] as const).find((one) => found.has(one));
}

/** Always in sight. A live desk is not to be mistaken for another one. */
export function EnvironmentBadge({ of }: { of: Environment | undefined }) {
  const say = useWords(SHELL);
  if (!of) return null;
  return (
    <span title={say("environment")} data-environment={of} className={cx("inline-flex h-[22px] items-center rounded-sm border px-2 text-2xs font-semibold tracking-wide whitespace-nowrap uppercase", LOOKS[of])}>
      <span className="sr-only">{say("environment")}: </span>
      {say(`env.${of}`)}
    </span>
  );
}
