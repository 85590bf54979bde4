"use client";

import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import dynamic from "next/dynamic";
import { Segments } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty, Loading } from "@/components/ui/states";
import { answered, api } from "@/lib/api/client";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { useBoard } from "./board";
import { type Bars, extended, MOST_BARS, type Period, PERIODS, periodsBack } from "./quotes";
import { MARKET } from "./words";

const AGAIN_MS = 30_000;
const OF_A_PERIOD = 100; // ms of each second: long bars are asked for less often
const Candles = dynamic(() => import("./candles").then((one) => one.Candles), { ssr: false, loading: () => <Loading rows={6} /> });

/** Candles of the stored ticks; the last one goes on with the live ticks, and what both miss of each other is asked for again and again. */
export function CandlesPanel({ instrument, digits }: { instrument: string; digits: number }) {
  const say = useWords(MARKET);
  const [asked, setPeriod] = useUrlState("period", "1m");
  const period = (asked in PERIODS ? asked : "1m") as Period;
  const board = useBoard();
  const client = useQueryClient();
  const queryKey = ["market", "bars", instrument, period];
  const bars = useQuery({
    queryKey,
    queryFn: async () => {
      const known = client.getQueryData<Bars>(queryKey);
      const limit = periodsBack(known, board.rows.get(instrument));
      const told = await answered(api.GET("/api/market/bars/{instrument}", { params: { path: { instrument }, query: { period, limit } } }));
      return known && limit < MOST_BARS ? extended(known, told) : told;
    },
    refetchInterval: Math.max(AGAIN_MS, PERIODS[period] * OF_A_PERIOD),
    placeholderData: keepPreviousData,
  });
  return (
    <Panel
      title={say("candles")}
      note={bars.data?.cut ? <span className="text-warn">{say("barsCut")}</span> : undefined}
      actions={<Segments label={say("period")} value={period} onChange={setPeriod} options={(Object.keys(PERIODS) as Period[]).map((one) => ({ value: one, label: say(`period.${one}`) }))} />}
    >
      <Answer of={bars} rows={8}>
        {(told) => (told.bars.length ? <Candles key={told.period} told={told} instrument={instrument} digits={digits} /> : <Empty>{say("noBars")}</Empty>)}
      </Answer>
      <p className="border-t px-3 py-1 text-2xs text-faint">
        <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer" className="hover:text-text">
          {say("chartsBy")}
        </a>
      </p>
    </Panel>
  );
}
