"use client";

import { useWords } from "@/lib/words";
import type { Order } from "./model";
import { TRADING } from "./words";

/** Buy or sell: a word, with the colour of a price that rises or falls. */
export function Side({ of }: { of: Order["side"] }) {
  const say = useWords(TRADING);
  return <span className={`font-medium ${of === "buy" ? "text-up" : "text-down"}`}>{say(`side.${of}`)}</span>;
}
