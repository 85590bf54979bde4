"use client";

import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Icon } from "@/components/ui/icons";
import { toast } from "@/components/ui/toast";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Order } from "./model";
import { isOver } from "./outcome";
import { place } from "./place";
import { useTellPlaced } from "./place-dialog";
import { useRefusalWords } from "./reasons";
import { placeCommand } from "./ticket";
import { TICKET } from "./ticket-words";
import { settle, type Unsettled, useUnsettled } from "./unsettled";
import { TRADING } from "./words";

/** Orders of this tab of which nobody knows whether the venue has them, until it is known. */
export function UnsettledNotices({ account, orders, onShow }: { account: string; orders: Order[]; onShow: (id: string) => void }) {
  const unsettled = useUnsettled(account);
  return unsettled.map((one) => {
    const name = one.ticket.client_order_id;
    return <Notice key={name} of={one} found={orders.find((order) => order.request_id === name)} onShow={onShow} />;
  });
}

function Notice({ of, found, onShow }: { of: Unsettled; found: Order | undefined; onShow: (id: string) => void }) {
  const say = useWords(TICKET);
  const sayTrading = useWords(TRADING);
  const { time } = useTimes();
  const tellPlaced = useTellPlaced();
  const refusal = useRefusalWords();
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const [isAtEnd, setIsAtEnd] = useState(false);
  const { account, ticket, at } = of;
  const name = ticket.client_order_id;
  const isKnown = found !== undefined && found.status !== "pending" && found.status !== "unknown";
  const askAgain = async () => {
    setBusy(true);
    try {
      const placed = await place(account, ticket, true);
      if ("orders" in placed) tellPlaced(placed.orders);
      else {
        setSaid(say("stillUnknown", { why: refusal(placed.unknown) }));
        setIsAtEnd(isOver(placed.unknown));
      }
    } catch (error) {
      toast(say("rejected", { why: refusal(error) }), "bad");
    }
    setBusy(false);
  };
  return (
    <section role="alert" aria-label={say("unknownTitle")} data-testid="unsettled" className="grid gap-2 rounded-md border border-warn/60 bg-warn/8 px-3 py-2.5 text-xs">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="text-warn">
          <Icon name="warning" size={14} />
        </span>
        <h2 className="font-semibold text-warn">{say("unknownTitle")}</h2>
        <span className="figure text-soft">{name}</span>
        <span className="text-faint">{say("unknownAt", { time: time(at) })}</span>
      </div>
      <p className="text-text">
        {sayTrading(`side.${ticket.side}`)} <span className="figure">{ticket.volume}</span> <span className="figure">{ticket.instrument}</span> {sayTrading(`effect.${ticket.split ?? ticket.offset}`)}{" "}
        {ticket.price !== null && <span className="figure">@ {ticket.price}</span>}
      </p>
      {!isKnown && <p className="text-soft">{said || say("unknownText")}</p>}
      {found && <p className="text-soft">{say("unknownFound", { status: sayTrading(`status.${found.status}`) })}</p>}
      <div className="flex flex-wrap gap-1.5">
        {!isKnown && !isAtEnd && (
          <Button busy={busy} onClick={() => void askAgain()}>
            {say("placeAgain")}
          </Button>
        )}
        {found && <Button onClick={() => onShow(found.client_order_id)}>{say("show")}</Button>}
        {(isKnown || isAtEnd) && <Button onClick={() => settle(account, name)}>{say("dismiss")}</Button>}
        <CopyCommand parts={placeCommand(account, ticket)} />
      </div>
    </section>
  );
}
