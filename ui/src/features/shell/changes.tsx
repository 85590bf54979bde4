"use client";

import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { Instance, Lease } from "@/lib/api/client";
import { useTopic } from "@/lib/live/hooks";
import { type Change, type Lost, Watch } from "./watching";

interface Seen {
  changes: Change[];
  lost: Lost[];
}

const NOTHING: Seen = { changes: [], lost: [] };
const Context = createContext<Seen & { forget: (id: string) => void }>({ ...NOTHING, forget: () => undefined });

function seenBy(watch: Watch): Seen {
  return { changes: watch.changes, lost: [...watch.lost.values()] };
}

/** Watches the desk on every page, so that what happened while another one was open is told. */
export function Changes({ children }: { children: ReactNode }) {
  const instances = useTopic<Instance>("instances");
  const leases = useTopic<Lease>("leases");
  const [watch] = useState(() => new Watch());
  const [seen, setSeen] = useState(NOTHING);
  useEffect(() => {
    const show = () => setSeen(seenBy(watch));
    if (instances.isWhole && watch.seeInstances(instances.rows, Date.now())) show();
    if (leases.isWhole && watch.seeLeases(leases.rows, Date.now())) show();
  }, [instances, leases, watch]);
  const forget = useCallback(
    (id: string) => {
      watch.forget(id);
      setSeen(seenBy(watch));
    },
    [watch],
  );
  const value = useMemo(() => ({ ...seen, forget }), [seen, forget]);
  return <Context value={value}>{children}</Context>;
}

/** What has happened since this tab was opened, the latest first; which instances were lost, until `forget(id)`. */
export function useChanges() {
  return useContext(Context);
}
