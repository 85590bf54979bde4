"use client";

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { answered, api } from "@/lib/api/client";
import { useTopic } from "@/lib/live/hooks";
import { useUrlState } from "@/lib/url";
import { type Entry, merged, queryOf, type Wanted } from "./entries";

const PAGE = 100;
const SETTLED_MS = 250;
/** The live topic has the last 200: what came in between is asked for. */
const AGAIN_MS = 30_000;

type Setters = { [K in keyof Wanted]: (value: string) => void };

/** The filter, as it stands in the address. */
export function useWanted(): { wanted: Wanted; set: Setters; clear: () => void; isAny: boolean } {
  const [who, setWho] = useUrlState("who");
  const [action, setAction] = useUrlState("action");
  const [on, setOn] = useUrlState("on");
  const [result, setResult] = useUrlState("result");
  const [since, setSince] = useUrlState("since");
  const [until, setUntil] = useUrlState("until");
  const wanted = useMemo(() => ({ who, action, on, result, since, until }), [who, action, on, result, since, until]);
  const set = { who: setWho, action: setAction, on: setOn, result: setResult, since: setSince, until: setUntil };
  return { wanted, set, clear: () => Object.values(set).forEach((one) => one("")), isAny: !Object.values(wanted).some(Boolean) };
}

/** Entries that fit, in pages back from now, and those that come while one looks. */
export function useAudit(wanted: Wanted) {
  const settled = useSettled(wanted);
  const { rows: live } = useLive(settled.until === "");
  const asked = useInfiniteQuery({
    queryKey: ["audit", settled],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => answered(api.GET("/api/audit", { params: { query: { ...queryOf(settled), before: pageParam, limit: PAGE } } })),
    getNextPageParam: (last) => last.next ?? undefined,
    refetchInterval: AGAIN_MS,
  });
  const { data } = asked;
  const entries = useMemo(() => data && merged(data.pages.flatMap((page) => page.entries), live, settled), [data, live, settled]);
  return { ...asked, entries, settled };
}

function useLive(isFollowed: boolean): { rows: Entry[] } {
  const view = useTopic<Entry>(isFollowed ? "audit" : "");
  return useMemo(() => ({ rows: [...view.rows.values()] }), [view]);
}

/** The filter, once nobody has typed for a moment. */
function useSettled(wanted: Wanted): Wanted {
  const [settled, setSettled] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(wanted), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  return settled;
}
