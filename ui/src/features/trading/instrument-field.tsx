"use client";

import { type KeyboardEvent, useId, useState } from "react";
import { cx } from "@/components/ui/cx";
import { Field } from "@/components/ui/field";
import { ranked } from "@/features/shell/ranking";
import { useWords } from "@/lib/words";
import type { Contract } from "./model";
import { isInstrument } from "./ticket";
import { TICKET } from "./ticket-words";

const MOST = 50;

/** A future by its name: what is typed is looked for in all of them. */
export function InstrumentField({ value, contracts, error, onChange }: { value: string; contracts: ReadonlyMap<string, Contract>; error?: string; onChange: (instrument: string) => void }) {
  const say = useWords(TICKET);
  const list = useId();
  /** What is typed, while the list is open. */
  const [typed, setTyped] = useState<string | null>(null);
  const [at, setAt] = useState(0);
  const found = typed ? ranked([...contracts.values()], (one) => `${one.instrument} ${one.name}`, typed).slice(0, MOST) : [];
  const isOpen = Boolean(typed) && contracts.size > 0;
  const take = (instrument: string) => {
    setTyped(null);
    setAt(0);
    onChange(instrument);
  };
  const leave = () => {
    if (typed === null) return;
    const exact = [...contracts.keys()].find((one) => one.toLowerCase() === typed.trim().toLowerCase());
    take(exact ?? (typed === "" || isInstrument(typed) ? typed : value));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      const next = (at + step + found.length) % found.length;
      setAt(next);
      document.getElementById(`${list}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && typed !== null) {
      event.preventDefault();
      if (found[at]) take(found[at].instrument);
      else leave();
    } else if (event.key === "Escape") setTyped(null);
  };
  return (
    <div className="relative">
      <Field
        label={say("instrument")}
        placeholder={say("search")}
        error={error}
        value={typed ?? value}
        role="combobox"
        aria-expanded={isOpen}
        aria-controls={isOpen ? list : undefined}
        aria-autocomplete="list"
        aria-activedescendant={isOpen && found.length ? `${list}-${at}` : undefined}
        onFocus={(event) => event.target.select()}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        onBlur={leave}
        className="figure"
      />
      {isOpen && (
        <div className="absolute top-[54px] right-0 left-0 z-20 rounded-sm border border-strong bg-panel shadow-2xl">
          <ul id={list} role="listbox" aria-label={say("results")} className="max-h-64 overflow-y-auto py-1">
            {found.map((one, index) => (
              <li
                key={one.instrument}
                id={`${list}-${index}`}
                role="option"
                aria-selected={index === at}
                onPointerMove={() => setAt(index)}
                onPointerDown={(event) => {
                  event.preventDefault();
                  take(one.instrument);
                }}
                className={cx("flex cursor-pointer items-baseline gap-2 px-2.5 py-1 text-xs", index === at && "bg-raised")}
              >
                <span className="figure font-medium">{one.instrument}</span>
                <span className="min-w-0 truncate text-soft">{one.name}</span>
                {one.expiry_day && <span className="label ml-auto whitespace-nowrap">{say("expires", { day: one.expiry_day })}</span>}
              </li>
            ))}
          </ul>
          {!found.length && <p className="px-2.5 py-1.5 text-xs text-faint">{say("noneFound")}</p>}
        </div>
      )}
    </div>
  );
}
