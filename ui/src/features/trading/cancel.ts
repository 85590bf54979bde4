"use client";

import { toast } from "@/components/ui/toast";
import { answered, api, type Schemas } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import { useWords } from "@/lib/words";
import { outcomeOf } from "./outcome";
import { useRefusalWords } from "./reasons";
import { TRADING } from "./words";

export function cancelOrder(account: string, order: string): Promise<unknown> {
  return answered(api.POST("/api/trading/accounts/{account}/orders/{order}/cancel", { params: { path: { account, order } } }));
}

/** Cancel one order, and tell what became of it. */
export function useCancel(account: string): (order: string) => void {
  const say = useWords(TRADING);
  const refusal = useRefusalWords();
  return (id) =>
    void cancelOrder(account, id)
      .then(() => toast(say("cancelled", { id })))
      .catch((error: unknown) => {
        const isUnknown = error instanceof Problem && outcomeOf(error, false) === "unknown";
        toast(isUnknown ? say("cancelUnknown", { id }) : refusal(error), "bad");
      });
}

/** Ask for all that work now, by one call. */
export function cancelAll(account: string): Promise<Schemas["CancelAllReply"]> {
  return answered(api.POST("/api/trading/accounts/{account}/cancel-all", { params: { path: { account } } }));
}
