"use client";

import { useCallback } from "react";
import { useProblemWords } from "@/components/ui/states";
import { Problem } from "@/lib/api/problem";
import { useWords } from "@/lib/words";
import type { Order } from "./model";
import { REASONS } from "./reason-words";

type ReasonKey = keyof (typeof REASONS)["en"];

/** A reason in words; one that we have no words for stands as it is. */
export function useReasonWords(): (reason: string) => string {
  const say = useWords(REASONS);
  return useCallback((reason) => (reason in REASONS.en ? say(reason as ReasonKey) : reason), [say]);
}

/** Why an order ended, as we say it and as the venue does. */
export function useOrderWhy(): (order: Order) => string {
  const inWords = useReasonWords();
  return (order) => [order.reason && inWords(order.reason), order.text].filter(Boolean).join(" ");
}

/** Why a call about an order failed: the reason of the checks in words, with its figures. */
export function useRefusalWords(): (error: unknown) => string {
  const inWords = useReasonWords();
  const problemInWords = useProblemWords();
  return (error) => {
    const reason = error instanceof Problem ? error.details.reason : undefined;
    if (!(error instanceof Problem) || typeof reason !== "string") return problemInWords(error);
    const detail = typeof error.details.detail === "string" ? error.details.detail : "";
    return [inWords(reason), detail && `(${detail})`].filter(Boolean).join(" ");
  };
}
