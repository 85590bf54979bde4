"use client";

import { IconButton } from "@/components/ui/button";
import { type Column, Table } from "@/components/ui/table";
import { useMay } from "@/features/session/session";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { useCancel } from "./cancel";
import { isWorking, type Order } from "./model";
import { shownPrice } from "./money";
import { OrderStatus } from "./order-status";
import { Side } from "./side";
import { TRADING } from "./words";

/** Orders, one a row; a row opens the order's details. */
export function OrderTable({ account, orders, selected, empty, onShow }: { account: string; orders: Order[]; selected: string; empty: string; onShow: (id: string) => void }) {
  const say = useWords(TRADING);
  const { time } = useTimes();
  const mayTrade = useMay("trader");
  const cancel = useCancel(account);
  const columns: Column<Order>[] = [
    {
      key: "instrument",
      title: say("instrument"),
      cell: (row) => (
        <button
          type="button"
          title={row.instrument}
          data-whole
          data-order={row.client_order_id}
          onClick={(event) => {
            event.stopPropagation();
            onShow(row.client_order_id);
          }}
          className="figure font-medium hover:text-accent focus-visible:-outline-offset-1"
        >
          {row.instrument}
        </button>
      ),
      sort: (row) => row.instrument,
    },
    { key: "side", title: say("side"), width: "40px", cell: (row) => <Side of={row.side} />, sort: (row) => row.side },
    { key: "effect", title: say("effect"), width: "110px", from: "md", cell: (row) => <span className="text-soft">{say(`effect.${row.offset}`)}</span>, sort: (row) => row.offset },
    { key: "type", title: say("type"), width: "64px", from: "lg", cell: (row) => <span className="text-soft">{say(`type.${row.type}`)}</span>, sort: (row) => row.type },
    { key: "price", title: say("price"), right: true, width: "66px", cell: (row) => (row.price === null ? say("any") : shownPrice(row.price)), sort: (row) => Number(row.price ?? 0) },
    { key: "filled", title: say("filled"), right: true, width: "72px", from: "sm", cell: (row) => `${row.filled}/${row.volume}`, sort: (row) => -row.filled },
    { key: "status", title: say("status"), width: "98px", cell: (row) => <OrderStatus of={row} />, sort: (row) => row.status },
    { key: "time", title: say("time"), right: true, width: "76px", from: "md", cell: (row) => time(row.ts_created_ns / 1e6), sort: (row) => -row.ts_created_ns },
    { key: "id", title: say("id"), width: "148px", from: "xl", cell: (row) => <span className="figure text-faint" title={row.client_order_id}>{row.client_order_id}</span>, sort: (row) => row.client_order_id },
    {
      key: "cancel",
      title: say("cancelShort"),
      right: true,
      width: "56px",
      cell: (row) =>
        mayTrade &&
        isWorking(row) && (
          <IconButton
            icon="close"
            className="size-6!"
            label={say("cancelOrder", { id: row.client_order_id })}
            onClick={(event) => {
              event.stopPropagation();
              cancel(row.client_order_id);
            }}
          />
        ),
    },
  ];
  return <Table name="orders" label={say("orders")} columns={columns} rows={orders} rowKey={(row) => row.client_order_id} selected={selected} onOpen={(row) => onShow(row.client_order_id)} empty={empty} height="336px" />;
}
