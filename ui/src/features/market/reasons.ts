"use client";

import { useCallback } from "react";
import type { Schemas } from "@/lib/api/client";
import { useWords } from "@/lib/words";
import { FEED_STATES, REASON_WORDS } from "./reason-words";
import { MARKET } from "./words";

type Reason = Schemas["Reason"];

/** A state of a feed in words; one that we have no words for stands as it is. */
export function useFeedState(): (state: string) => string {
  const say = useWords(FEED_STATES);
  return useCallback((state) => (state in FEED_STATES.en ? say(state as keyof typeof FEED_STATES.en) : state), [say]);
}

/** Why something is so, in words; a code of a later release stands as it is. */
export function useWhy(): (why: Reason | readonly Reason[] | null) => string {
  const say = useWords(REASON_WORDS);
  const sayMarket = useWords(MARKET);
  const inState = useFeedState();
  return useCallback(
    (why) => {
      const inWords = ({ code, places = {} }: Reason) => {
        const { verdict, state } = places;
        const said = { ...places };
        if (verdict !== undefined) said.verdict = `verdict.${verdict}` in MARKET.en ? sayMarket(`verdict.${verdict}` as "verdict.stalled") : verdict;
        if (state !== undefined) said.state = inState(String(state));
        return code in REASON_WORDS.en ? say(code, said) : code;
      };
      return ([why ?? []].flat() as Reason[]).map(inWords).join(" · ");
    },
    [say, sayMarket, inState],
  );
}
