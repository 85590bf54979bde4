"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { State } from "@/components/ui/badge";
import { Button, IconButton } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { cx } from "@/components/ui/cx";
import { Panel } from "@/components/ui/panel";
import { Empty, useProblemWords } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useMay } from "@/features/session/session";
import { decimal, whole } from "@/lib/format";
import { duration, useNow, useTimes } from "@/lib/time";
import { usePreferences } from "@/lib/preferences";
import { useWords } from "@/lib/words";
import type { Health } from "./asked";
import { Book } from "./book";
import { useQuote } from "./board";
import { CandlesPanel } from "./candles-panel";
import { signed } from "./cells";
import { ageOf, amount, changeOf, type Contract, digitsOf, moveOf, type Subscription, type Tick } from "./quotes";
import { TickList } from "./tick-list";
import { OPERATOR, subscribe, unsubscribe } from "./wishing";
import { useWhy } from "./reasons";
import { MARKET } from "./words";

interface InstrumentProps {
  instrument: string;
  fact: Contract | undefined;
  wanted: Subscription | undefined;
  health: Health;
  onClose: () => void;
}

/** One contract: its last tick, the book, candles, and the ticks one by one. */
export function Instrument({ instrument, fact, wanted, health, onClose }: InstrumentProps) {
  const say = useWords(MARKET);
  const tick = useQuote(instrument);
  const digits = digitsOf(fact?.price_tick);
  const inWhy = useWhy();
  const alarm = health.alarms.get(instrument);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <Panel
        title={instrument}
        note={[fact?.name, fact?.expiry_day && say("expires", { day: fact.expiry_day })].filter(Boolean).join(" · ") || undefined}
        actions={
          <>
            <Watching instrument={instrument} wanted={wanted} />
            <IconButton icon="close" label={say("closeContract")} onClick={onClose} />
          </>
        }
      >
        {alarm && (
          <p className="border-b px-3 py-1.5 text-xs text-bad">
            {[say(`verdict.${alarm.verdict}` as "verdict.stalled"), inWhy(alarm.why)].filter(Boolean).join(" · ")}
          </p>
        )}
        {wanted?.state === "refused" && <p className="border-b px-3 py-1.5 text-xs text-warn">{say("refusedFor", { reason: inWhy(wanted.why) })}</p>}
        {tick ? <Quote tick={tick} digits={digits} fact={fact} /> : <Empty>{say(wanted ? "noTickYet" : "notWantedText")}</Empty>}
      </Panel>
      <CandlesPanel key={instrument} instrument={instrument} digits={digits} />
      <TickList key={`ticks ${instrument}`} instrument={instrument} digits={digits} />
    </div>
  );
}

function Quote({ tick, digits, fact }: { tick: Tick; digits: number; fact: Contract | undefined }) {
  const say = useWords(MARKET);
  const { language } = usePreferences();
  const found = changeOf(tick);
  const price = (value: number | null) => decimal(value, digits);
  const toned = (value: number | null) => (value === null || !tick.pre_settlement_price ? "" : moveOf(value - tick.pre_settlement_price));
  return (
    <div className="@container">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-3 pt-2.5 pb-2" data-testid="last-price">
        <span data-move={moveOf(found?.change)} className={cx("figure text-[26px] leading-8 font-medium", MOVES)}>
          {price(tick.last_price)}
        </span>
        <span data-move={moveOf(found?.change)} className={cx("figure text-sm", MOVES)}>
          {found ? `${signed(found.change, digits)}  ${signed(found.percent, 2)}%` : "–"}
        </span>
        <Age tick={tick} />
      </div>
      <div className="grid border-t @min-[430px]:grid-cols-[minmax(0,1fr)_minmax(0,232px)]">
        <dl className="grid content-start grid-cols-2 gap-x-4 gap-y-px px-3 py-2 text-xs">
          <Pair name={say("open")} value={price(tick.open_price)} move={toned(tick.open_price)} />
          <Pair name={say("preSettlement")} value={price(tick.pre_settlement_price)} />
          <Pair name={say("high")} value={price(tick.high_price)} move={toned(tick.high_price)} />
          <Pair name={say("upperLimit")} value={price(tick.upper_limit_price)} />
          <Pair name={say("low")} value={price(tick.low_price)} move={toned(tick.low_price)} />
          <Pair name={say("lowerLimit")} value={price(tick.lower_limit_price)} />
          <Pair name={say("volume")} value={whole(tick.volume)} />
          <Pair name={say("turnover")} value={amount(tick.turnover, language)} />
          <Pair name={say("interest")} value={whole(tick.open_interest)} />
          <Pair name={say("interestChange")} value={tick.pre_open_interest === null ? "–" : signed(tick.open_interest - tick.pre_open_interest, 0)} />
          <Pair name={say("average")} value={decimal(averageOf(tick, fact), digits)} move={toned(averageOf(tick, fact))} />
          <Pair name={say("preClose")} value={price(tick.pre_close_price)} />
          <Pair name={say("spread")} value={tick.bids[0] && tick.asks[0] ? price(tick.asks[0][0] - tick.bids[0][0]) : "–"} />
          <Pair name={say("multiplier")} value={fact?.multiplier ? String(fact.multiplier) : "–"} />
          <Pair name={say("tradingDay")} value={tick.trading_day} />
          <Pair name={say("sequence")} value={whole(tick.sequence)} />
        </dl>
        <Book tick={tick} digits={digits} />
      </div>
    </div>
  );
}

/** What a lot was worth on average, as a price; null where that is not known. */
function averageOf(tick: Tick, fact: Contract | undefined): number | null {
  return fact?.multiplier && tick.volume ? tick.turnover / tick.volume / fact.multiplier : null;
}

const MOVES = "data-[move=down]:text-down data-[move=up]:text-up";

function Pair({ name, value, move }: { name: string; value: string; move?: string }) {
  return (
    <div className="flex min-w-0 items-baseline justify-between gap-2 leading-[21px]">
      <dt className="truncate text-faint" title={name}>
        {name}
      </dt>
      <dd data-move={move} className={cx("figure whitespace-nowrap", MOVES)}>
        {value}
      </dd>
    </div>
  );
}

function Age({ tick }: { tick: Tick }) {
  const say = useWords(MARKET);
  const { precise } = useTimes();
  const now = useNow();
  return (
    <span className="ml-auto inline-flex gap-2 text-2xs text-faint">
      <time className="figure text-soft">{precise(tick.ts_exchange_ns / 1e6)}</time>
      {now > 0 && say("ageOf", { age: duration(ageOf(tick, now)) })}
    </span>
  );
}

/** Whether the desk watches it, and who may, begins or ends that. */
function Watching({ instrument, wanted }: { instrument: string; wanted: Subscription | undefined }) {
  const say = useWords(MARKET);
  const inWords = useProblemWords();
  const mayAct = useMay("trader");
  const cache = useQueryClient();
  const [busy, setBusy] = useState(false);
  const inWhy = useWhy();
  const isOurs = wanted?.wanted_by.includes(OPERATOR) ?? false;
  const act = async () => {
    setBusy(true);
    try {
      const told = await (isOurs ? unsubscribe({ instruments: [instrument] }) : subscribe({ instruments: [instrument] }));
      const no = told.rejected[0];
      if (no) toast(`${no.what}: ${inWhy(no.why)}`, "bad");
      else toast(say(isOurs ? "unsubscribed" : "subscribed", { what: instrument }));
      await cache.invalidateQueries({ queryKey: ["market"] });
    } catch (error) {
      toast(inWords(error), "bad");
    }
    setBusy(false);
  };
  return (
    <>
      {wanted && (
        <span className="text-2xs text-faint" title={wanted.wanted_by.join(", ")}>
          <State health={wanted.state === "ticking" ? "well" : wanted.state === "refused" ? "warn" : "idle"}>{say("wantedBy", { who: wanted.wanted_by.slice(0, 3).join(", ") })}</State>
        </span>
      )}
      <CopyCommand parts={mayAct && !wanted ? ["aegis", "subscribe", instrument] : ["aegis", "ticks", instrument]} />
      {mayAct && (
        <Button busy={busy} onClick={() => void act()}>
          {say(isOurs ? "unsubscribe" : "subscribe")}
        </Button>
      )}
    </>
  );
}
