"use client";

import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Instance, Lease } from "@/lib/api/client";
import { useTopic } from "@/lib/live/hooks";
import { type Change, type Lost, Watch } from "./watching";

interface Seen {
  changes: Change[];
  lost: Lost[];
}

const NOTHING: Seen = { changes: [], lost: [] };
const Context = createContext<Seen>(NOTHING);

/** Watches the desk on every page, so that what happened while another one was open is told. */
export function Changes({ children }: { children: ReactNode }) {
  const instances = useTopic<Instance>("instances");
  const leases = useTopic<Lease>("leases");
  const [watch] = useState(() => new Watch());
  const [seen, setSeen] = useState(NOTHING);
  useEffect(() => {
    const show = () => setSeen({ changes: watch.changes, lost: [...watch.lost.values()] });
    if (instances.isWhole && watch.seeInstances(instances.rows, Date.now())) show();
    if (leases.isWhole && watch.seeLeases(leases.rows, Date.now())) show();
  }, [instances, leases, watch]);
  return <Context value={seen}>{children}</Context>;
}

/** What has happened since this tab was opened, the latest first, and which instances were lost. */
export function useChanges(): Seen {
  return useContext(Context);
}
