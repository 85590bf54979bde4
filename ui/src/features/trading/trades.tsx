"use client";

import { keepPreviousData, type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { RowName } from "@/components/ui/row-name";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { answered, api } from "@/lib/api/client";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Account, Order, Trade } from "./model";
import { gain, gainTone, money, shownPrice } from "./money";
import { Side } from "./side";
import { TRADING } from "./words";

/** The trades of the day: those that are known, and what came behind them. */
async function tradesOf(cache: QueryClient, account: string, day: string): Promise<Trade[]> {
  const kept = ["trades so far", account, day];
  const all = [...(cache.getQueryData<Trade[]>(kept) ?? [])];
  for (let next = -1; next !== 0; ) {
    const page = await answered(api.GET("/api/trading/accounts/{account}/trades", { params: { path: { account }, query: { after: all.length } } }));
    all.push(...page.trades);
    next = page.next;
  }
  cache.setQueryData(kept, all);
  return all;
}

/** The trades of the day, asked for when the lots that orders have traded are others; the latest first. */
export function useTrades(account: Account, orders: Order[]) {
  const cache = useQueryClient();
  const lots = orders.reduce((sum, one) => sum + one.traded, 0);
  return useQuery({
    queryKey: ["trades", account.account, account.trading_day, lots],
    queryFn: () => tradesOf(cache, account.account, account.trading_day),
    select: latestFirst,
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
}

function latestFirst(trades: Trade[]): Trade[] {
  return trades.toReversed();
}

export function TradesOfDay({ account, orders, isWanted, onShow }: { account: Account; orders: Order[]; isWanted: (...words: string[]) => boolean; onShow: (id: string) => void }) {
  const say = useWords(TRADING);
  const query = useTrades(account, orders);
  return (
    <Answer of={query}>
      {(trades) => (
        <TradeTable
          name="trades"
          trades={trades.filter((one) => isWanted(one.instrument, one.client_order_id, one.strategy_id))}
          empty={trades.length ? say("noMatch") : say("noTrades")}
          height="336px"
          onShow={onShow}
        />
      )}
    </Answer>
  );
}

export function TradeTable({ name, trades, empty, height, onShow }: { name: string; trades: Trade[]; empty: string; height: string; onShow?: (id: string) => void }) {
  const say = useWords(TRADING);
  const { time } = useTimes();
  const columns: Column<Trade>[] = [
    { key: "time", title: say("time"), width: "76px", cell: (row) => <span className="figure">{time(row.ts_exchange_ns / 1e6)}</span>, sort: (row) => row.ts_exchange_ns },
    { key: "instrument", title: say("instrument"), cell: (row) => (onShow ? <RowName of={row.instrument} className="figure" whole /> : <span data-whole className="figure font-medium" title={row.instrument}>{row.instrument}</span>), sort: (row) => row.instrument },
    { key: "side", title: say("side"), width: "46px", cell: (row) => <Side of={row.side} />, sort: (row) => row.side },
    { key: "effect", title: say("effect"), width: "110px", from: "md", cell: (row) => <span className="text-soft">{say(`effect.${row.offset}`)}</span>, sort: (row) => row.offset },
    { key: "lots", title: say("lots"), right: true, width: "48px", cell: (row) => row.volume, sort: (row) => -row.volume },
    { key: "price", title: say("price"), right: true, width: "80px", cell: (row) => shownPrice(row.price), sort: (row) => Number(row.price) },
    { key: "commission", title: say("commission"), right: true, width: "88px", from: "sm", cell: (row) => money(row.commission), sort: (row) => -Number(row.commission) },
    { key: "profit", title: say("closeProfit"), right: true, width: "104px", from: "md", cell: (row) => <span className={gainTone(row.close_profit)}>{gain(row.close_profit)}</span>, sort: (row) => -Number(row.close_profit) },
  ];
  return (
    <Table
      name={name}
      label={say("view.trades")}
      columns={columns}
      rows={trades}
      rowKey={(row) => `${row.trading_day} ${row.instrument} ${row.venue_order_id} ${row.side} ${row.trade_id}`}
      onOpen={onShow && ((row) => onShow(row.client_order_id))}
      empty={empty}
      height={height}
    />
  );
}
