"use client";

import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { answered, api, type Schemas } from "@/lib/api/client";

export type Stream = Schemas["StreamView"];
export type Consumer = Schemas["ConsumerView"];

const AGAIN_MS = 2_000;
const MOST_ASKED = 64;
export const BUCKET = "KV_";

export function useStreams() {
  return useQuery({ queryKey: ["nats", "streams"], queryFn: () => answered(api.GET("/api/nats/streams")), refetchInterval: AGAIN_MS });
}

/** The consumers of all streams that have some, at most 64 streams, and whether all have answered. */
export function useConsumers(streams: Stream[] | undefined): { consumers: Consumer[]; isWhole: boolean; error: unknown } {
  const consumed = (streams ?? []).filter((one) => one.consumers > 0).slice(0, MOST_ASKED);
  return useQueries({
    queries: consumed.map(({ name }) => ({
      queryKey: ["nats", "consumers", name],
      queryFn: () => answered(api.GET("/api/nats/streams/{stream}/consumers", { params: { path: { stream: name } } })),
      refetchInterval: AGAIN_MS,
    })),
    combine: (answers) => ({
      consumers: answers.flatMap((one) => one.data ?? []),
      isWhole: streams !== undefined && answers.every((one) => one.data || one.error),
      error: answers.find((one) => one.error && !one.data)?.error,
    }),
  });
}

/** By stream how much its slowest consumer lags. */
export function useLags(consumers: Consumer[]): ReadonlyMap<string, number> {
  return useMemo(() => {
    const lags = new Map<string, number>();
    for (const { stream, lag } of consumers) lags.set(stream, Math.max(lag, lags.get(stream) ?? 0));
    return lags;
  }, [consumers]);
}

export type Page = Record<string, unknown>;

/** What each server says of itself; of one that does not answer the page is empty. */
export type ServerPage = Schemas["ServerPage"];

export function useServers() {
  return useQuery({ queryKey: ["nats", "servers"], queryFn: () => answered(api.GET("/api/nats/servers")), refetchInterval: AGAIN_MS });
}

export function useConnections() {
  return useQuery({ queryKey: ["nats", "connections"], queryFn: () => answered(api.GET("/api/nats/connections")), refetchInterval: AGAIN_MS });
}
