"use client";

import { IconButton } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Panel } from "@/components/ui/panel";
import { type Column, Table } from "@/components/ui/table";
import { useMay } from "@/features/session/session";
import { decimal } from "@/lib/format";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { goToTicket, useDraft } from "./draft";
import { type Contract, type Position, positionKey } from "./model";
import { gain, gainTone, money } from "./money";
import { closing, freeLots, placesOf } from "./ticket";
import { TRADING } from "./words";

/** What the account holds, or held today; each is closed by way of the ticket. */
export function PositionsPanel({ account, positions, contracts }: { account: string; positions: Position[]; contracts: ReadonlyMap<string, Contract> }) {
  const say = useWords(TRADING);
  const mayTrade = useMay("trader");
  const [instrument] = useUrlState("instrument");
  const [, change] = useDraft();
  const count = (key: string, title: string, of: (row: Position) => number, from?: "sm" | "md", width = "48px"): Column<Position> => ({
    key,
    title,
    right: true,
    from,
    width,
    cell: (row) => of(row) || <span className="text-faint">–</span>,
    sort: (row) => -of(row),
  });
  const amount = (key: "position_profit" | "close_profit" | "margin", title: string, width: string, from?: "xl"): Column<Position> => ({
    key,
    title,
    right: true,
    from,
    width,
    cell: (row) => (key === "margin" ? money(row[key]) : <span className={gainTone(row[key])}>{gain(row[key])}</span>),
    sort: (row) => -Number(row[key]),
  });
  const close = (row: Position) => {
    change(closing(row));
    goToTicket("price");
  };
  const labelOf = (row: Position) => {
    const of = { instrument: row.instrument, direction: say(`direction.${row.direction}`) };
    return row.hedge === "speculation" ? say("close", of) : say("closeHedge", { ...of, hedge: say(`hedge.${row.hedge}`) });
  };
  const isHedging = positions.some((one) => one.hedge !== "speculation");
  const hedge: Column<Position> = { key: "hedge", title: say("hedgeShort"), width: "82px", from: "sm", cell: (row) => say(`hedge.${row.hedge}`), sort: (row) => row.hedge };
  const columns: Column<Position>[] = [
    { key: "instrument", title: say("instrument"), cell: (row) => <span data-whole className="figure font-medium" title={row.instrument}>{row.instrument}</span>, sort: (row) => row.instrument },
    { key: "direction", title: say("direction"), width: "48px", cell: (row) => <span className={row.direction === "long" ? "text-up" : "text-down"}>{say(`direction.${row.direction}`)}</span>, sort: (row) => row.direction },
    ...(isHedging ? [hedge] : []),
    count("lots", say("lots"), (row) => row.today + row.yesterday),
    count("today", say("today"), (row) => row.today, "sm", "66px"),
    count("yesterday", say("yesterday"), (row) => row.yesterday, "sm", "82px"),
    count("held", say("held"), (row) => row.frozen_today + row.frozen_yesterday, "md", "76px"),
    { key: "average", title: say("average"), right: true, width: "84px", from: "md", cell: (row) => averageOf(row, contracts.get(row.instrument)) },
    amount("margin", say("margin"), "108px", "xl"),
    amount("position_profit", say("profit"), "100px"),
    amount("close_profit", say("closeProfit"), "112px", "xl"),
    {
      key: "close",
      title: say("closeShort"),
      width: "54px",
      right: true,
      cell: (row) => mayTrade && freeLots(row) > 0 && <IconButton icon="close" className="size-6!" label={labelOf(row)} onClick={() => close(row)} />,
    },
  ];
  return (
    <Panel title={say("positions")} note={positions.length || undefined} actions={<CopyCommand parts={["aegis", "positions", "--account", account]} />}>
      <Table name="positions" label={say("positions")} columns={columns} rows={positions} rowKey={positionKey} selected={positions.filter((one) => one.instrument === instrument).map(positionKey)[0]} empty={say("noPositions")} height="276px" />
    </Panel>
  );
}

/** The price that the lots were opened at, on average. */
function averageOf(row: Position, contract: Contract | undefined): string {
  const lots = row.today + row.yesterday;
  if (!lots || !contract?.multiplier) return "–";
  return decimal(Number(row.open_cost) / lots / contract.multiplier, contract.price_tick ? placesOf(contract.price_tick) + 1 : 2);
}
