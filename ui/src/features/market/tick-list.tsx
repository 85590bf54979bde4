"use client";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { cx } from "@/components/ui/cx";
import { Segments } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { answered, api } from "@/lib/api/client";
import { decimal, whole } from "@/lib/format";
import { useTimes } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { useBoard } from "./board";
import { joined, MOST_TICKS, sideOf, type Tick } from "./quotes";
import { MARKET } from "./words";

const STORED = 200;
const SHOW_MS = 500;

/** The stored ticks and those that come, shown twice a second. */
export function TickList({ instrument, digits }: { instrument: string; digits: number }) {
  const say = useWords(MARKET);
  const { precise } = useTimes();
  const [only, setOnly] = useUrlState("ticks", "all");
  const stored = useQuery({
    queryKey: ["market", "ticks", instrument],
    // the client knows a level as a list, not as a pair
    queryFn: async () => (await answered(api.GET("/api/market/ticks/{instrument}/latest", { params: { path: { instrument }, query: { limit: STORED } } }))) as Tick[],
    staleTime: Infinity,
    gcTime: 0,
  });
  const live = useLiveTicks(instrument);
  const rows = useMemo(() => joined(stored.data ?? [], live).filter((tick) => only === "all" || tick.volume_delta > 0), [stored.data, live, only]);
  const flagsOf = (tick: Tick) => tick.flags.map((flag) => say(`flag.${flag}`)).join(", ");
  const columns: Column<Tick>[] = [
    { key: "at", title: say("time"), width: "120px", cell: (row) => <span className="figure">{precise(row.ts_exchange_ns / 1e6)}</span> },
    {
      key: "price",
      title: say("last"),
      right: true,
      cell: (row) => (
        <span data-move={sideOf(row)} className="data-[move=down]:text-down data-[move=up]:text-up">
          {decimal(row.last_price, digits)}
        </span>
      ),
    },
    { key: "volume", title: say("traded"), right: true, width: "64px", cell: (row) => <span className={cx(!row.volume_delta && "text-faint")}>{whole(row.volume_delta)}</span> },
    { key: "interest", title: say("interest"), right: true, width: "84px", from: "sm", cell: (row) => <span className="text-soft">{whole(row.open_interest)}</span> },
    { key: "bid", title: say("bid"), right: true, from: "sm", cell: (row) => <span className="text-soft">{decimal(row.bids[0]?.[0], digits)}</span> },
    { key: "ask", title: say("ask"), right: true, from: "sm", cell: (row) => <span className="text-soft">{decimal(row.asks[0]?.[0], digits)}</span> },
    { key: "flags", title: say("flags"), width: "84px", from: "md", cell: (row) => <span title={flagsOf(row)} className="text-faint">{flagsOf(row)}</span> },
  ];
  return (
    <Panel
      title={say("ticks")}
      actions={
        <Segments
          label={say("ticks")}
          value={only}
          onChange={setOnly}
          options={[
            { value: "all", label: say("allTicks") },
            { value: "traded", label: say("onlyTraded") },
          ]}
        />
      }
    >
      <Answer of={stored} rows={6}>
        {() => <Table name="ticks" label={say("ticks")} columns={columns} rows={rows} rowKey={(row) => `${row.epoch} ${row.sequence}`} empty={say("noTicks")} height="300px" />}
      </Answer>
    </Panel>
  );
}

/** Those that came since this was shown. */
function useLiveTicks(instrument: string): readonly Tick[] {
  const board = useBoard();
  const [shown, setShown] = useState<readonly Tick[]>([]);
  useEffect(() => {
    let all: Tick[] = [];
    let isNew = false;
    let last = board.rows.get(instrument);
    const stop = board.onTake(() => {
      const tick = board.rows.get(instrument);
      if (!tick || tick === last) return;
      last = tick;
      all = [...all, tick].slice(-MOST_TICKS);
      isNew = true;
    });
    const timer = setInterval(() => {
      if (isNew) setShown(all);
      isNew = false;
    }, SHOW_MS);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [board, instrument]);
  return shown;
}
