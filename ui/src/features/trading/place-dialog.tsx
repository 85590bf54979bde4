"use client";

import { useState } from "react";
import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { Fact, Facts } from "@/components/ui/panel";
import { toast } from "@/components/ui/toast";
import { EnvironmentBadge } from "@/features/shell/environment";
import { useLiveStatus } from "@/lib/live/hooks";
import { useWords } from "@/lib/words";
import type { Account, Order, Quote } from "./model";
import { OldPrice } from "./old-price";
import { place } from "./place";
import { useOrderWhy, useRefusalWords } from "./reasons";
import { type Draft, newName, placeCommand, ticketOf } from "./ticket";
import { TICKET } from "./ticket-words";
import { TRADING } from "./words";

const GOES_ON: ReadonlySet<Order["status"]> = new Set(["accepted", "partly_filled", "filled"]);

/** Say what became of orders that were placed. */
export function useTellPlaced(): (orders: Order[]) => void {
  const say = useWords(TICKET);
  const sayTrading = useWords(TRADING);
  const why = useOrderWhy();
  return (orders) => {
    for (const one of orders) {
      const said = { id: one.client_order_id, status: sayTrading(`status.${one.status}`), why: why(one) };
      toast(say(said.why ? "placedWhy" : "placed", said), GOES_ON.has(one.status) ? "done" : "bad");
    }
  };
}

/** The order once more, with the account that it is for, before it is sent. `isOld`: no true prices are known. */
export function PlaceDialog({ account, draft, quote, isOld, value, onClose }: { account: Account; draft: Draft; quote: Quote | undefined; isOld: boolean; value: string | undefined; onClose: () => void }) {
  const say = useWords(TICKET);
  const sayTrading = useWords(TRADING);
  const tellPlaced = useTellPlaced();
  const refusal = useRefusalWords();
  const { state } = useLiveStatus();
  const [ticket] = useState(() => ticketOf(draft, newName()));
  const send = async () => {
    const placed = await place(account.account, ticket, false);
    if ("orders" in placed) tellPlaced(placed.orders);
  };
  return (
    <Confirm title={say("confirmTitle")} action={say("place")} danger={account.env === "live"} onConfirm={send} onClose={onClose} inWords={refusal}>
      <div className="flex flex-wrap items-center gap-2 text-text">
        <EnvironmentBadge of={account.env} />
        <span className="font-medium">{say("on", { account: account.account })}</span>
      </div>
      <p className="text-[17px] leading-6 text-text">
        <span className={`font-semibold ${draft.side === "buy" ? "text-up" : "text-down"}`}>{sayTrading(`side.${draft.side}`)}</span> <span className="figure font-medium">{draft.lots}</span>{" "}
        <span className="figure font-medium">{draft.instrument}</span>
      </p>
      <div className="-mx-3 rounded-sm border bg-ground">
        <Facts>
          <Fact label={sayTrading("effect")}>{sayTrading(`effect.${draft.effect}`)}</Fact>
          {ticket.hedge !== "speculation" && <Fact label={sayTrading("hedge")}>{sayTrading(`hedge.${ticket.hedge}`)}</Fact>}
          <Fact label={sayTrading("type")}>{sayTrading(`type.${draft.type}`)}</Fact>
          <Fact label={sayTrading("price")}>{draft.type === "market" ? say("atAny") : <span className="figure">{draft.price}</span>}</Fact>
          {value && (
            <Fact label={say("value")}>
              <span className="figure">{value}</span>
            </Fact>
          )}
          <Fact label={say("orderId")}>
            <span className="figure">{ticket.client_order_id}</span>
          </Fact>
        </Facts>
      </div>
      {(isOld || state === "lost" || state === "stale") && <p className="text-xs text-warn">{say("oldQuote")}</p>}
      <OldPrice instrument={draft.instrument} quote={quote} />
      <div className="-my-1 flex">
        <CopyCommand parts={placeCommand(account.account, ticket)} />
      </div>
    </Confirm>
  );
}
