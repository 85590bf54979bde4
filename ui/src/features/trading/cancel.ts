"use client";

import { toast } from "@/components/ui/toast";
import { answered, api } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import { useWords } from "@/lib/words";
import { outcomeOf } from "./outcome";
import { useRefusalWords } from "./reasons";
import { TRADING } from "./words";

const AT_ONCE = 4;

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

/** Cancel these, a few at once; gives the errors, and tells after each how many are done. */
export async function cancelEach(account: string, orders: string[], onDone: (count: number) => void): Promise<unknown[]> {
  const left = [...orders];
  const errors: unknown[] = [];
  let done = 0;
  const work = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      await cancelOrder(account, id).catch((error: unknown) => errors.push(error));
      onDone(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return errors;
}
