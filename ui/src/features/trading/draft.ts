"use client";

import { useCallback } from "react";
import { useUrlState } from "@/lib/url";
import { type Draft, EFFECTS, HEDGES, TYPES } from "./ticket";

/** One of those that there are; an address may say anything. */
function among<T extends string>(all: readonly T[], value: string): T {
  return all.find((one) => one === value) ?? all[0]!;
}

/** The ticket's draft; it stands in the address, so that it can be sent to somebody, and filled by any part of the page. */
export function useDraft(): [Draft, (change: Partial<Draft>) => void] {
  const [instrument, setInstrument] = useUrlState("instrument");
  const [side, setSide] = useUrlState("side", "buy");
  const [effect, setEffect] = useUrlState("effect", "open");
  const [hedge, setHedge] = useUrlState("hedge", "speculation");
  const [type, setType] = useUrlState("type", "limit");
  const [price, setPrice] = useUrlState("price");
  const [lots, setLots] = useUrlState("lots", "1");
  const draft: Draft = { instrument, side: among(["buy", "sell"], side), effect: among(EFFECTS, effect), hedge: among(HEDGES, hedge), type: among(TYPES, type), price, lots };
  const change = useCallback(
    (next: Partial<Draft>) => {
      if (next.instrument !== undefined) setInstrument(next.instrument);
      if (next.side !== undefined) setSide(next.side);
      if (next.effect !== undefined) setEffect(next.effect);
      if (next.hedge !== undefined) setHedge(next.hedge);
      if (next.type !== undefined) setType(next.type);
      if (next.price !== undefined) setPrice(next.price);
      if (next.lots !== undefined) setLots(next.lots);
    },
    [setInstrument, setSide, setEffect, setHedge, setType, setPrice, setLots],
  );
  return [draft, change];
}

const TICKET_ID = "ticket";

/** Bring the ticket into sight, where it is not beside the rest of the page, and go on in its price. */
export function goToTicket(field: "instrument" | "price"): void {
  const ticket = document.getElementById(TICKET_ID);
  ticket?.scrollIntoView({ block: "nearest" });
  ticket?.querySelector<HTMLInputElement>(field === "price" ? "[data-price] input" : "input")?.focus();
}
