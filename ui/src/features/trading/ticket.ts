import type { Contract, Order, Position, Quote, Ticket } from "./model";

/** How lots are opened or closed: as the venue is told, or as the trading service shall choose them. */
export const EFFECTS = ["open", "close", "close_today", "close_yesterday", "today_first", "yesterday_first", "lock"] as const;
export type Effect = (typeof EFFECTS)[number];
const SPLITS: readonly string[] = ["today_first", "yesterday_first", "lock"];

export const TYPES = ["limit", "market", "fak", "fok"] as const;

/** What a position is for, as the exchanges tell them apart; the first is what most orders are. */
export const HEDGES = ["speculation", "arbitrage", "hedge"] as const;

/** What is typed into a ticket, as it stands in the address. */
export interface Draft {
  instrument: string;
  side: Order["side"];
  effect: Effect;
  hedge: Order["hedge"];
  type: Order["type"];
  price: string;
  lots: string;
}

const INSTRUMENT = /^[A-Z]{1,8}\.[A-Za-z0-9 &_-]{1,80}$/;
const PRICE = /^-?\d{1,10}(\.\d{1,6})?$/;
const LOTS = /^[1-9]\d{0,5}$/;
const SAME = 1e-6;

export function isInstrument(name: string): boolean {
  return INSTRUMENT.test(name);
}

export type Trouble = "no_instrument" | "no_price" | "no_tick" | "price_tick" | "above_limit" | "below_limit" | "no_lots";
export type Troubles = Partial<Record<"instrument" | "price" | "lots", Trouble>>;

/** What is wrong with a draft, as far as it can be seen from here; the trading service has the last word. As long as the contract's tick is not known, no price is known to be one. */
export function troublesOf(draft: Draft, contract: Contract | undefined, quote: Quote | undefined): Troubles {
  const found: Troubles = {};
  if (!isInstrument(draft.instrument)) found.instrument = "no_instrument";
  if (!LOTS.test(draft.lots)) found.lots = "no_lots";
  if (draft.type === "market") return found;
  const price = Number(draft.price);
  const tick = contract?.price_tick;
  if (!PRICE.test(draft.price)) found.price = "no_price";
  else if (!tick) found.price = "no_tick";
  else if (!isOnTick(price, tick)) found.price = "price_tick";
  else if (quote?.upper_limit_price && price > quote.upper_limit_price + SAME) found.price = "above_limit";
  else if (quote?.lower_limit_price && price < quote.lower_limit_price - SAME) found.price = "below_limit";
  return found;
}

function isOnTick(price: number, tick: number): boolean {
  return Math.abs(price / tick - Math.round(price / tick)) < SAME;
}

/** How many places prices of that tick have. */
export function placesOf(tick: number): number {
  return tick.toFixed(6).replace(/0+$/, "").split(".")[1]!.length;
}

/** The price so many ticks further; one between two ticks goes to the next one. */
export function stepped(price: number, by: 1 | -1, tick: number): string {
  const at = price / tick;
  const next = by > 0 ? Math.floor(at + SAME) + 1 : Math.ceil(at - SAME) - 1;
  return (next * tick).toFixed(placesOf(tick));
}

/** The body of the order. Asked again with the same name it is done once. */
export function ticketOf({ instrument, side, effect, hedge, type, price, lots }: Draft, client_order_id: string): Ticket {
  const isSplit = SPLITS.includes(effect);
  return {
    client_order_id,
    strategy_id: "",
    instrument,
    side,
    offset: isSplit ? "close" : (effect as Ticket["offset"]),
    split: isSplit ? (effect as Ticket["split"]) : null,
    hedge,
    type,
    price: type === "market" ? null : price,
    volume: Number(lots),
  };
}

/** The words of the command that places the same order. */
export function placeCommand(account: string, of: Ticket): string[] {
  return [
    ...["aegis", "order", "place", of.instrument, of.side, String(of.volume)],
    ...(of.price === null || of.price === undefined ? [] : [String(of.price)]),
    ...["--offset", of.offset],
    ...(of.split ? ["--split", of.split] : []),
    ...(of.hedge === "speculation" ? [] : ["--hedge", of.hedge]),
    ...["--type", of.type],
    ...(of.client_order_id ? ["--id", of.client_order_id] : []),
    ...["--account", account],
  ];
}

/** A draft that closes what of a position no other order closes already, at a price to be said. SHFE and INE tell today's lots from others. */
export function closing(position: Position): Draft {
  const exchange = position.instrument.split(".")[0]!;
  const isLong = position.direction === "long";
  return {
    instrument: position.instrument,
    side: isLong ? "sell" : "buy",
    effect: exchange === "SHFE" || exchange === "INE" ? "yesterday_first" : "close",
    hedge: position.hedge,
    type: "limit",
    price: "",
    lots: String(Math.max(1, freeLots(position))),
  };
}

/** Lots that no order holds back. */
export function freeLots(position: Position): number {
  return position.today + position.yesterday - position.frozen_today - position.frozen_yesterday;
}

/** 16 hexadecimal digits: the name of a new order. */
export function newName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

