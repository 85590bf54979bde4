"use client";

import { useQuery } from "@tanstack/react-query";
import { answered, api } from "@/lib/api/client";

const AGAIN_MS = 5_000;

/** All services that are defined, whether they run or not. */
export function useDefinitions() {
  return useQuery({ queryKey: ["services"], queryFn: () => answered(api.GET("/api/services")), refetchInterval: AGAIN_MS });
}
