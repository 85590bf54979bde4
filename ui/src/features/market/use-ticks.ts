"use client";

import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { answered, api } from "@/lib/api/client";
import { useBoard } from "./board";
import { joined, MOST_TICKS, type Tick } from "./quotes";

const STORED = 200;
const SHOW_MS = 500;
/** So many ticks have come when the stored ones are asked for anew: fewer than are kept, so that none is missing between both. */
const AGAIN = 300;

/** The ticks of a contract, the latest first: a page of stored ones before a place of the stream or, without one, the last stored ones and those that come. */
export function useTicks(instrument: string, before: string) {
  const client = useQueryClient();
  const queryKey = ["market", "ticks", instrument, before];
  const stored = useQuery({
    queryKey,
    queryFn: async () => {
      const limit = before || client.getQueryData(queryKey) ? MOST_TICKS : STORED;
      const page = await answered(api.GET("/api/market/ticks/{instrument}/stored", { params: { path: { instrument }, query: { before: Number(before), limit } } }));
      return { ticks: page.ticks as Tick[], next: page.next }; // the client knows a level as a list, not as a pair
    },
    staleTime: Infinity,
    gcTime: 0,
    placeholderData: keepPreviousData,
  });
  const { live, came } = useLiveTicks(instrument);
  const { data, isPlaceholderData, refetch } = stored;
  const rounds = before ? 0 : Math.floor(came / AGAIN);
  useEffect(() => {
    if (rounds) void refetch();
  }, [rounds, refetch]);
  const rows = useMemo(() => {
    if (!data) return [];
    return before || isPlaceholderData ? data.ticks.toReversed() : joined(data.ticks, live);
  }, [data, before, isPlaceholderData, live]);
  return { stored, rows };
}

/** Those that came since this was shown, the last of them, anew twice a second; and how many came. */
function useLiveTicks(instrument: string): { live: readonly Tick[]; came: number } {
  const board = useBoard();
  const [shown, setShown] = useState<{ live: readonly Tick[]; came: number }>({ live: [], came: 0 });
  useEffect(() => {
    let live: Tick[] = [];
    let came = 0;
    let isNew = false;
    let last = board.rows.get(instrument);
    const stop = board.onTake(() => {
      const tick = board.rows.get(instrument);
      if (!tick || tick === last) return;
      last = tick;
      live = [...live, tick].slice(-MOST_TICKS);
      came++;
      isNew = true;
    });
    const timer = setInterval(() => {
      if (isNew) setShown({ live, came });
      isNew = false;
    }, SHOW_MS);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [board, instrument]);
  return shown;
}
