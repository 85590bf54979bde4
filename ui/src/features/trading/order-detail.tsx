"use client";

import { Badge } from "@/components/ui/badge";
import { Button, IconButton } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Fact, Facts, Panel } from "@/components/ui/panel";
import { Empty } from "@/components/ui/states";
import { useMay } from "@/features/session/session";
import { useWords } from "@/lib/words";
import { useCancel } from "./cancel";
import { Lifecycle } from "./lifecycle";
import { type Account, type Contract, isWorking, type Order } from "./model";
import { shownPrice } from "./money";
import { OrderStatus } from "./order-status";
import { useOrderWhy } from "./reasons";
import { Side } from "./side";
import { placesOf } from "./ticket";
import { TradeTable, useTrades } from "./trades";
import { TRADING } from "./words";

interface DetailProps {
  id: string;
  orders: Order[];
  account: Account;
  contracts: ReadonlyMap<string, Contract>;
  onClose: () => void;
}

/** One order of the day: its way until now, what it is, and its trades. */
export function OrderDetail({ id, orders, account, contracts, onClose }: DetailProps) {
  const say = useWords(TRADING);
  const mayTrade = useMay("trader");
  const cancel = useCancel(account.account);
  const order = orders.find((one) => one.client_order_id === id);
  const close = <IconButton icon="close" label={say("closeDetail")} onClick={onClose} />;
  if (!order) {
    return (
      <Panel title={say("order", { id })} actions={close}>
        <Empty>{say("noOrder", { id })}</Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title={say("order", { id })}
      note={<OrderStatus of={order} />}
      actions={
        <>
          <CopyCommand parts={["aegis", "order", "cancel", id, "--account", account.account]} />
          {mayTrade && isWorking(order) && (
            <Button kind="danger" onClick={() => cancel(id)}>
              {say("cancel")}
            </Button>
          )}
          {close}
        </>
      }
    >
      <Lifecycle of={order} />
      <div className="grid items-start sm:grid-cols-2">
        <Terms of={order} />
        <Origin of={order} contract={contracts.get(order.instrument)} />
      </div>
      {order.traded > 0 && <Trades of={order} orders={orders} account={account} />}
    </Panel>
  );
}

function Terms({ of }: { of: Order }) {
  const say = useWords(TRADING);
  return (
    <Facts>
      <Fact label={say("instrument")}>
        <span className="figure">{of.instrument}</span>
      </Fact>
      <Fact label={say("side")}>
        <Side of={of.side} />
      </Fact>
      <Fact label={say("effect")}>{say(`effect.${of.offset}`)}</Fact>
      <Fact label={say("type")}>{say(`type.${of.type}`)}</Fact>
      <Fact label={say("price")}>
        <span className="figure">{of.price === null ? say("any") : shownPrice(of.price)}</span>
      </Fact>
      <Fact label={say("hedge")}>{say(`hedge.${of.hedge}`)}</Fact>
    </Facts>
  );
}

function Origin({ of, contract }: { of: Order; contract: Contract | undefined }) {
  const say = useWords(TRADING);
  const why = useOrderWhy();
  const places = contract?.price_tick ? placesOf(contract.price_tick) + 1 : 2;
  const left = of.volume - of.filled;
  return (
    <Facts>
      <Fact label={say("filled")}>
        <span className="figure">
          {of.filled}/{of.volume}
        </span>
        {isWorking(of) && left > 0 && <span className="ml-2 text-faint">{say("left", { left })}</span>}
      </Fact>
      <Fact label={say("average")}>
        <span className="figure">{of.traded ? (Number(of.turnover) / of.traded).toFixed(places) : "–"}</span>
      </Fact>
      <Fact label={say("venueOrder")}>
        <span className="figure">{of.venue_order_id.trim() || "–"}</span>
      </Fact>
      {of.request_id !== of.client_order_id && (
        <Fact label={say("request")}>
          <span className="figure">{of.request_id}</span>
        </Fact>
      )}
      <Fact label={say("strategy")}>{of.strategy_id || "–"}</Fact>
      {why(of) && <Fact label={say("reason")}>{why(of)}</Fact>}
      {of.adopted && (
        <Fact label="">
          <Badge tone="warn">{say("adopted")}</Badge>
        </Fact>
      )}
    </Facts>
  );
}

function Trades({ of, orders, account }: { of: Order; orders: Order[]; account: Account }) {
  const say = useWords(TRADING);
  const { data } = useTrades(account, orders);
  return (
    <div className="border-t">
      <TradeTable name="fills" trades={(data ?? []).filter((one) => one.client_order_id === of.client_order_id)} empty={say("noTrades")} height="186px" />
    </div>
  );
}
