"use client";

import { State } from "@/components/ui/badge";
import { useWords } from "@/lib/words";
import { isWorking, type Order, ORDER_HEALTH } from "./model";
import { TRADING } from "./words";

/** How an order is. One that is asked to be cancelled still works until the venue has said so. */
export function OrderStatus({ of }: { of: Order }) {
  const say = useWords(TRADING);
  if (of.cancel_asked && isWorking(of)) return <State health="moving">{say("cancelling")}</State>;
  return <State health={ORDER_HEALTH[of.status]}>{say(`status.${of.status}`)}</State>;
}
