"use client";

import { type FormEvent, useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { cx } from "@/components/ui/cx";
import { Choice } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { useMay } from "@/features/session/session";
import { useWords } from "@/lib/words";
import { useDraft } from "./draft";
import { InstrumentField } from "./instrument-field";
import { type Account, type Contract, type Quote, useQuote } from "./model";
import { money } from "./money";
import { OldPrice } from "./old-price";
import { PlaceDialog } from "./place-dialog";
import { QuoteView } from "./quote-view";
import { Stepper } from "./stepper";
import { type Draft, EFFECTS, HEDGES, isInstrument, placeCommand, placesOf, stepped, ticketOf, troublesOf, TYPES } from "./ticket";
import { TICKET } from "./ticket-words";
import { TRADING } from "./words";

/** What is to be traded. It is looked over once more before it is sent. */
export function TicketPanel({ account, contracts }: { account: Account; contracts: ReadonlyMap<string, Contract> }) {
  const say = useWords(TICKET);
  const sayTrading = useWords(TRADING);
  const mayTrade = useMay("trader");
  const [draft, change] = useDraft();
  const [isTried, setTried] = useState(false);
  const [isPlacing, setPlacing] = useState(false);
  const instrument = isInstrument(draft.instrument) ? draft.instrument : "";
  const { quote, isWhole, trouble } = useQuote(instrument);
  const contract = contracts.get(instrument);
  const troubles = troublesOf(draft, contract, quote);
  const isReady = Object.keys(troubles).length === 0;
  /** What is not filled in yet is no mistake before somebody tries. */
  const error = (of: keyof typeof troubles) => {
    const found = troubles[of];
    const isEmpty = draft[of] === "";
    return found && (isTried || !isEmpty) ? say(`trouble.${found}`) : undefined;
  };
  const review = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (isReady) setPlacing(true);
  };
  return (
    <Panel title={say("ticket")} actions={isReady && <CopyCommand parts={placeCommand(account.account, ticketOf(draft, ""))} />}>
      <form id="ticket" onSubmit={review} className="grid gap-3 p-3">
        <InstrumentField
          value={draft.instrument}
          contracts={contracts}
          error={error("instrument")}
          onChange={(next) => {
            setTried(false);
            if (next !== draft.instrument) change({ instrument: next, price: "", hedge: "speculation" });
          }}
        />
        <QuoteView instrument={instrument} quote={quote} isWhole={isWhole} places={contract?.price_tick ? placesOf(contract.price_tick) : 2} onPrice={(price) => change({ price, ...(draft.type === "market" && { type: "limit" }) })} />
        <OldPrice instrument={instrument} quote={quote} />
        <Sides value={draft.side} onChange={(side) => change({ side })} />
        <div className="grid grid-cols-2 gap-2">
          <div className="col-span-2">
            <Choice label={sayTrading("effect")} value={draft.effect} onChange={(event) => change({ effect: event.target.value as Draft["effect"] })}>
              {EFFECTS.map((one) => (
                <option key={one} value={one}>
                  {sayTrading(`effect.${one}`)}
                </option>
              ))}
            </Choice>
          </div>
          <Choice label={sayTrading("type")} value={draft.type} onChange={(event) => change({ type: event.target.value as Draft["type"] })}>
            {TYPES.map((one) => (
              <option key={one} value={one}>
                {sayTrading(`type.${one}`)}
              </option>
            ))}
          </Choice>
          <Choice label={sayTrading("hedge")} value={draft.hedge} onChange={(event) => change({ hedge: event.target.value as Draft["hedge"] })}>
            {HEDGES.map((one) => (
              <option key={one} value={one}>
                {sayTrading(`hedge.${one}`)}
              </option>
            ))}
          </Choice>
        </div>
        <Numbers draft={draft} contract={contract} quote={quote} error={error} onChange={change} />
        <p className="flex justify-between gap-2 text-xs text-faint">
          {say("value")}
          <span className="figure text-soft">{valueOf(draft, contract) ?? (draft.type === "market" ? say("atAny") : "–")}</span>
        </p>
        <Button type="submit" kind="primary" disabled={!mayTrade || troubles.price === "no_tick"} className="h-8!">
          {say("review")}
        </Button>
        {!mayTrade && <p className="text-xs text-faint">{say("onlyTraders")}</p>}
      </form>
      {isPlacing && <PlaceDialog account={account} draft={draft} quote={quote} isOld={trouble !== null} value={valueOf(draft, contract)} onClose={() => setPlacing(false)} />}
    </Panel>
  );
}

/** Price times lots times the units of a lot, in yuan. */
function valueOf({ price, lots, type }: Draft, contract: Contract | undefined): string | undefined {
  const value = Number(price || NaN) * Number(lots) * (contract?.multiplier ?? NaN);
  return type === "market" || !Number.isFinite(value) ? undefined : money(value.toFixed(2));
}

function Sides({ value, onChange }: { value: Draft["side"]; onChange: (side: Draft["side"]) => void }) {
  const say = useWords(TRADING);
  const looks = { buy: "border-up bg-up text-ground", sell: "border-down bg-down text-ground" };
  return (
    <div role="group" aria-label={say("side")} className="grid grid-cols-2 gap-2">
      {(["buy", "sell"] as const).map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={one === value}
          onClick={() => onChange(one)}
          className={cx("h-8 rounded-sm border text-sm font-semibold", one === value ? looks[one] : "border-strong text-soft hover:border-faint hover:text-text")}
        >
          {say(`side.${one}`)}
        </button>
      ))}
    </div>
  );
}

function Numbers({ draft, contract, quote, error, onChange }: { draft: Draft; contract: Contract | undefined; quote: Quote | undefined; error: (of: "price" | "lots") => string | undefined; onChange: (change: Partial<Draft>) => void }) {
  const say = useWords(TICKET);
  const sayTrading = useWords(TRADING);
  const tick = contract?.price_tick ?? null;
  const isMarket = draft.type === "market";
  const stepPrice = (by: 1 | -1) => {
    const from = draft.price === "" ? quote?.last_price : Number(draft.price);
    if (tick && from !== null && from !== undefined && Number.isFinite(from)) onChange({ price: stepped(from, by, tick) });
  };
  const stepLots = (by: 1 | -1) => onChange({ lots: String(Math.max(1, Math.floor(Number(draft.lots) || 0) + by)) });
  const units = contract?.multiplier;
  return (
    <div className="grid grid-cols-[5fr_4fr] items-start gap-2">
      <div data-price>
        <Stepper
          label={sayTrading("price")}
          lower={say("lowerPrice")}
          higher={say("higherPrice")}
          value={isMarket ? "" : draft.price}
          placeholder={isMarket ? sayTrading("any") : undefined}
          disabled={isMarket}
          error={error("price")}
          onStep={stepPrice}
          onText={(price) => onChange({ price })}
        />
      </div>
      <Stepper label={sayTrading("lots")} lower={say("fewerLots")} higher={say("moreLots")} value={draft.lots} error={error("lots")} onStep={stepLots} onText={(lots) => onChange({ lots })} />
      {tick && <p className="col-span-2 -mt-1 text-xs text-faint">{units ? say("tickAndLot", { tick, units }) : say("tick", { tick })}</p>}
    </div>
  );
}
