"use client";

import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Filter, Segments } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { useMay } from "@/features/session/session";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { CancelAllDialog } from "./cancel-all-dialog";
import { type Account, isWorking, type Order } from "./model";
import { OrderTable } from "./order-table";
import { TradesOfDay } from "./trades";
import { TRADING } from "./words";

/** Orders that work, all of the day, and what was traded. */
export function OrdersPanel({ account, orders, selected, onShow }: { account: Account; orders: Order[]; selected: string; onShow: (id: string) => void }) {
  const say = useWords(TRADING);
  const mayTrade = useMay("trader");
  const [view, setView] = useUrlState("view", "working");
  const [text, setText] = useUrlState("filter");
  const [isCancelling, setCancelling] = useState(false);
  const working = orders.filter(isWorking);
  const wanted = text.toLowerCase();
  const isWanted = (...words: string[]) => words.some((one) => one.toLowerCase().includes(wanted));
  const all = view === "working" ? working : orders;
  const shown = all.filter((one) => isWanted(one.instrument, one.client_order_id, one.strategy_id));
  const empty = all.length ? say("noMatch") : say(view === "working" ? "noWorking" : "noOrders");
  const name = account.account;
  return (
    <Panel
      title={say("orders")}
      actions={
        <>
          <Filter label={say("filter")} value={text} onChange={setText} className="w-full! sm:w-52!" />
          <Segments
            label={say("orders")}
            value={view}
            onChange={setView}
            options={[
              { value: "working", label: say("view.working"), note: working.length },
              { value: "orders", label: say("view.orders"), note: orders.length },
              { value: "trades", label: say("view.trades") },
            ]}
          />
          <CopyCommand parts={["aegis", "order", "list", ...(view === "working" ? ["--working"] : []), "--account", name]} />
          {mayTrade && (
            <Button kind="danger" disabled={!working.length} onClick={() => setCancelling(true)}>
              {say("cancelAll")}
            </Button>
          )}
        </>
      }
    >
      {view === "trades" ? (
        <TradesOfDay account={account} orders={orders} isWanted={isWanted} onShow={onShow} />
      ) : (
        <OrderTable account={name} orders={shown} selected={selected} empty={empty} onShow={onShow} />
      )}
      {isCancelling && <CancelAllDialog account={account} working={working} onClose={() => setCancelling(false)} />}
    </Panel>
  );
}
