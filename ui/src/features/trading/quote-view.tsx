"use client";

import { Button } from "@/components/ui/button";
import { useProblemWords } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useWhy } from "@/features/market/reasons";
import { subscribe } from "@/features/market/wishing";
import { useMay } from "@/features/session/session";
import { whole } from "@/lib/format";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Quote } from "./model";
import { TICKET } from "./ticket-words";

const LEVELS = 5;

/** The prices that a ticket goes by: the last one, the day's limits, and the book; a price of the book is taken by a click. */
export function QuoteView({ instrument, quote, isWhole, places, onPrice }: { instrument: string; quote: Quote | undefined; isWhole: boolean; places: number; onPrice: (price: string) => void }) {
  const say = useWords(TICKET);
  const { time } = useTimes();
  if (!instrument) return <p className="text-xs text-faint">{say("choose")}</p>;
  if (!quote) return isWhole ? <NoQuote instrument={instrument} /> : <p className="h-20 text-xs text-faint" aria-busy="true" />;
  const written = (price: number | null) => (price === null ? "–" : price.toFixed(places));
  const change = quote.last_price !== null && quote.pre_settlement_price ? quote.last_price - quote.pre_settlement_price : 0;
  const rows = Math.min(LEVELS, Math.max(quote.bids.length, quote.asks.length, 1));
  return (
    <div className="grid gap-1.5">
      <dl className="flex items-baseline justify-between gap-2 text-xs">
        <div className="flex items-baseline gap-1.5">
          <dt className="text-faint">{say("last")}</dt>
          <dd className={`figure text-sm font-medium ${change > 0 ? "text-up" : change < 0 ? "text-down" : ""}`} data-testid="last-price">
            {written(quote.last_price)}
          </dd>
        </div>
        <div className="flex items-baseline gap-1.5">
          <dt className="sr-only">{say("limits")}</dt>
          <dd className="figure text-faint" title={say("limits")}>
            {written(quote.lower_limit_price)} – {written(quote.upper_limit_price)}
          </dd>
        </div>
      </dl>
      <div className="grid grid-cols-2 gap-px overflow-hidden rounded-sm border bg-line">
        <p className="label flex justify-between bg-panel px-2 py-0.5">
          <span>{say("bid")}</span>
        </p>
        <p className="label flex justify-between bg-panel px-2 py-0.5">
          <span>{say("ask")}</span>
          <span className="figure font-normal">{time(quote.ts_exchange_ns / 1e6)}</span>
        </p>
        {Array.from({ length: rows }, (_, at) => [
          <LevelButton key={`bid-${at}`} level={quote.bids[at]} side="bid" written={written} onPrice={onPrice} />,
          <LevelButton key={`ask-${at}`} level={quote.asks[at]} side="ask" written={written} onPrice={onPrice} />,
        ])}
      </div>
    </div>
  );
}

function LevelButton({ level, side, written, onPrice }: { level: [number, number] | undefined; side: "bid" | "ask"; written: (price: number) => string; onPrice: (price: string) => void }) {
  const say = useWords(TICKET);
  if (!level) return <span className="bg-panel px-2 py-0.5 text-xs text-faint">–</span>;
  const price = written(level[0]);
  return (
    <button
      type="button"
      onClick={() => onPrice(price)}
      className="figure flex items-baseline justify-between gap-2 bg-panel px-2 py-0.5 text-xs hover:bg-raised focus-visible:-outline-offset-2"
    >
      <span className="sr-only">{say(side === "bid" ? "takeBid" : "takeAsk")}</span>
      <span>{price}</span>
      <span className="text-faint">{whole(level[1])}</span>
    </button>
  );
}

function NoQuote({ instrument }: { instrument: string }) {
  const say = useWords(TICKET);
  const inWords = useProblemWords();
  const mayAct = useMay("trader");
  const inWhy = useWhy();
  const want = () =>
    void subscribe({ instruments: [instrument] })
      .then(({ rejected: [no] }) => (no ? toast(`${no.what}: ${inWhy(no.why)}`, "bad") : toast(say("subscribed", { instrument }))))
      .catch((error: unknown) => toast(inWords(error), "bad"));
  return (
    <div className="flex flex-wrap items-center justify-between gap-2 text-xs text-faint">
      <p>{say("noQuote")}</p>
      {mayAct && <Button onClick={want}>{say("subscribe")}</Button>}
    </div>
  );
}
