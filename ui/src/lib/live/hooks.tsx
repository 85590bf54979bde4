"use client";

import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { LiveConnection, type Status, type TopicView } from "./connection";

const Context = createContext<LiveConnection | null>(null);
const NOT_YET: Status = { state: "connecting", freshAt: 0, instance: "", isFull: false, troubles: [] };

/** The tab's live connection, for all below. */
export function Live({ onRefused, children }: { onRefused: () => void; children: ReactNode }) {
  const [connection] = useState(() => new LiveConnection(onRefused));
  useEffect(() => {
    connection.start();
    return () => connection.stop();
  }, [connection]);
  return <Context value={connection}>{children}</Context>;
}

function useConnection(): LiveConnection {
  const connection = useContext(Context);
  if (!connection) throw new Error("outside of <Live>");
  return connection;
}

export interface LiveRows<T> extends TopicView {
  /** By the topic's keys, as docs/management.md lists them. The same map whenever rows change in it: compare `rows` of two renders by `TopicView`, not by it. */
  rows: ReadonlyMap<string, T>;
}

/** All rows of a live topic: `const { rows, isWhole } = useTopic<Lease>("leases")`. An empty name follows nothing. */
export function useTopic<T>(name: string): LiveRows<T> {
  const connection = useConnection();
  const subscribe = useCallback(
    (listener: () => void) => (name ? connection.follow(name, listener) : () => undefined),
    [connection, name],
  );
  const view = useSyncExternalStore(
    subscribe,
    () => connection.view(name),
    () => connection.view(""),
  );
  return view as LiveRows<T>;
}

/** The rows as a list, made anew only when some have changed. */
export function useRows<T>(name: string): Omit<TopicView, "rows"> & { rows: T[] } {
  const view = useTopic<T>(name);
  return useMemo(() => ({ ...view, rows: [...view.rows.values()] }), [view]);
}

/** How the connection is. `freshAt` is read when it is shown: it changes all the time. */
export function useLiveStatus(): Status {
  const connection = useConnection();
  return useSyncExternalStore(
    connection.onStatus,
    () => connection.status,
    () => NOT_YET,
  );
}

/** When what is shown was last known to be up to date, in milliseconds. */
export function useFreshAt(): () => number {
  const connection = useConnection();
  return useCallback(() => connection.status.freshAt, [connection]);
}
