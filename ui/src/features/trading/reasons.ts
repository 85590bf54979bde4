"use client";

import { useCallback } from "react";
import { placesOf, useProblemWords } from "@/components/ui/states";
import { Problem } from "@/lib/api/problem";
import { useWords } from "@/lib/words";
import type { Order } from "./model";
import { FIGURES, REASONS } from "./reason-words";
import { TRADING } from "./words";

type ReasonKey = keyof (typeof REASONS)["en"];

/** A reason in words; one that we have no words for stands as it is. */
export function useReasonWords(): (reason: string) => string {
  const say = useWords(REASONS);
  return useCallback((reason) => (reason in REASONS.en ? say(reason as ReasonKey) : reason), [say]);
}

/** Why an order ended, as we say it, then in the venue's own words. */
export function useOrderWhy(): (order: Order) => string {
  const say = useWords(TRADING);
  const inWords = useReasonWords();
  return (order) => [order.reason && inWords(order.reason), order.text && say("venueSays", { text: order.text })].filter(Boolean).join(" ");
}

/** Why a call about an order failed: the reason of the checks in words, with its figures. */
export function useRefusalWords(): (error: unknown) => string {
  const inWords = useReasonWords();
  const sayFigures = useWords(FIGURES);
  const problemInWords = useProblemWords();
  return (error) => {
    if (!(error instanceof Problem) || !(error.reason in REASONS.en)) return problemInWords(error);
    const { reason } = error;
    const figures = reason in FIGURES.en ? sayFigures(reason as keyof typeof FIGURES.en, placesOf(error.details)) : "";
    return [inWords(reason), figures && `(${figures})`].filter(Boolean).join(" ");
  };
}
