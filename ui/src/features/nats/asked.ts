"use client";

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { answered, api, type Schemas } from "@/lib/api/client";
import { useRows } from "@/lib/live/hooks";

export type Stream = Schemas["StreamView"];
export type Consumer = Schemas["ConsumerView"];

const AGAIN_MS = 2_000;
export const BUCKET = "KV_";

export function useStreams() {
  return useQuery({ queryKey: ["nats", "streams"], queryFn: () => answered(api.GET("/api/nats/streams")), refetchInterval: AGAIN_MS });
}

/** The consumers of a stream, by itself of all of them, the one that lags most first. */
export function useConsumers(stream?: string): { consumers: Consumer[]; isWhole: boolean } {
  const { rows, isWhole } = useRows<Consumer>("consumers");
  const consumers = useMemo(() => consumersOf(rows, stream), [rows, stream]);
  return { consumers, isWhole };
}

export function consumersOf(rows: readonly Consumer[], stream?: string): Consumer[] {
  return rows.filter((one) => stream === undefined || one.stream === stream).sort((a, b) => b.lag - a.lag || (a.stream < b.stream ? -1 : 1));
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
