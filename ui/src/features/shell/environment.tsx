"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { cx } from "@/components/ui/cx";
import { answered, api, type Instance, type Schemas } from "@/lib/api/client";
import { useTopic } from "@/lib/live/hooks";
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

interface Asked {
  data?: Schemas["AccountListed"][] | undefined;
  status: "pending" | "error" | "success";
}

/** What is known by the latest answer; nothing, where that is a failure: an older one may hide that an account has gone live. */
export function saidBy({ data, status }: Asked): Environment {
  return environmentOf(status === "error" ? undefined : data);
}

/** That of this desk: asked again whenever an instance that trades comes, goes or changes, and when the tab is looked at again. */
export function useEnvironment(): Environment {
  const accounts = useQuery({
    queryKey: ["accounts"],
    queryFn: () => answered(api.GET("/api/trading/accounts")),
    refetchInterval: ({ state }) => (saidBy(state) === "unknown" ? SOON_MS : AGAIN_MS),
    refetchOnWindowFocus: true,
  });
  useAskedAnew();
  return saidBy(accounts);
}

function useAskedAnew(): void {
  const cache = useQueryClient();
  const instances = useTopic<Instance>("instances");
  const trading = useMemo(() => tradingOf(instances.rows.values()), [instances]);
  const known = useRef<string | null>(null);
  useEffect(() => {
    if (!instances.isWhole) return;
    if (known.current !== null && known.current !== trading) void cache.invalidateQueries({ queryKey: ["accounts"] });
    known.current = trading;
  }, [cache, instances.isWhole, trading]);
}

/** Another text for other instances that trade, or other states of them. */
function tradingOf(instances: Iterable<Instance>): string {
  const found = [...instances].filter((one) => one.service === "trading");
  return found.map((one) => `${one.instance} ${one.incarnation} ${one.status}`).sort().join(", ");
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
