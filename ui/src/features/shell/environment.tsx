"use client";

import { useQuery } from "@tanstack/react-query";
import { cx } from "@/components/ui/cx";
import { answered, api, type Schemas } from "@/lib/api/client";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

const AGAIN_MS = 30_000;
const SOON_MS = 2_000;
const LOOKS = {
  sim: "border-strong text-soft",
  paper: "border-accent text-accent",
  live: "border-bad bg-bad text-ground",
  unknown: "border-warn text-warn",
  none: "border-strong text-faint",
} as const;
export type Environment = keyof typeof LOOKS;

/** What orders of these accounts do: `live` where one of them is, and else unknown as long as one might be. */
export function environmentOf(accounts: readonly { env: Schemas["AccountListed"]["env"] }[] | undefined): Environment {
  if (!accounts) return "unknown";
  const found = new Set(accounts.map((one) => one.env ?? "unknown"));
  return (["live", "unknown", "paper", "sim"] as const).find((one) => found.has(one)) ?? "none";
}

/** That of this desk. */
export function useEnvironment(): Environment {
  const accounts = useQuery({
    queryKey: ["accounts"],
    queryFn: () => answered(api.GET("/api/trading/accounts")),
    refetchInterval: ({ state }) => (environmentOf(state.data) === "unknown" ? SOON_MS : AGAIN_MS),
  });
  return environmentOf(accounts.data);
}

/** Always in sight. A live desk is not to be mistaken for another one. */
export function EnvironmentBadge({ of }: { of: Environment }) {
  const say = useWords(SHELL);
  return (
    <span title={say("environment")} data-environment={of} className={cx("inline-flex h-[22px] items-center rounded-sm border px-2 text-2xs font-semibold tracking-wide whitespace-nowrap uppercase", LOOKS[of])}>
      <span className="sr-only">{say("environment")}: </span>
      {say(`env.${of}`)}
    </span>
  );
}
