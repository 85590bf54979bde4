"use client";

import type { ReactNode } from "react";
import { Problem } from "@/lib/api/problem";
import { duration, useNow } from "@/lib/time";
import { useWords } from "@/lib/words";
import { Button } from "./button";
import { Icon } from "./icons";
import { FIELDS, PROBLEM_REASONS } from "./problem-words";
import { UI } from "./words";

type UiKey = keyof (typeof UI)["en"];

/** Why it is so, in words; quoted in the service's own only where it has no reason that we know. */
export function useProblemWhy(): (problem: Problem) => string {
  const say = useWords(UI);
  const sayReason = useWords(PROBLEM_REASONS);
  return ({ reason, detail, details }) => {
    if (reason in PROBLEM_REASONS.en) return sayReason(reason as keyof typeof PROBLEM_REASONS.en, placesOf(details));
    return detail && say("quoted", { text: detail });
  };
}

/** An error in words: what its code means, then why. */
export function useProblemWords(): (error: unknown) => string {
  const say = useWords(UI);
  const sayWhy = useProblemWhy();
  const sayField = useWords(FIELDS);
  return (error) => {
    if (!(error instanceof Problem)) return say("problem.internal");
    const key = `problem.${error.code}`;
    const meaning = say(key in UI.en ? (key as UiKey) : "problem.rejected");
    const fields = error.errors.map(({ where, code, problem }) => `${where}: ${code in FIELDS.en ? sayField(code as keyof typeof FIELDS.en) : problem}`);
    return [meaning, [sayWhy(error), ...fields].filter(Boolean).join("; ")].filter(Boolean).join(" ");
  };
}

/** What of a problem's details can stand in a sentence. */
export function placesOf(details: Problem["details"]): Record<string, string | number> {
  return Object.fromEntries(Object.entries(details).filter((one): one is [string, string | number] => typeof one[1] === "string" || typeof one[1] === "number"));
}

/** Why a form was not carried out, in words of its own where it has some; nothing without an error, which is null. */
export function NotDone({ error, inWords }: { error: unknown; inWords?: (error: unknown) => string }) {
  const usual = useProblemWords();
  return (
    error !== null && (
      <p role="alert" className="text-xs wrap-anywhere text-bad">
        {(inWords ?? usual)(error)}
      </p>
    )
  );
}

/** Where there is nothing to show: why, and what could be done. */
export function Empty({ children, action }: { children?: ReactNode; action?: ReactNode }) {
  const say = useWords(UI);
  return (
    <div className="grid justify-items-center gap-3 px-4 py-8 text-center text-xs text-faint">
      <p>{children ?? say("empty")}</p>
      {action}
    </div>
  );
}

/** Lines in the place of what is coming. */
export function Loading({ rows = 5 }: { rows?: number }) {
  const say = useWords(UI);
  return (
    <div role="status" className="grid gap-3 px-3 py-3.5">
      <span className="sr-only">{say("loading")}</span>
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} aria-hidden="true" className="h-2.5 animate-pulse rounded-sm bg-raised" style={{ width: `${88 - ((row * 29) % 47)}%` }} />
      ))}
    </div>
  );
}

export function Failed({ error, onAgain }: { error: unknown; onAgain?: () => void }) {
  const say = useWords(UI);
  const inWords = useProblemWords();
  return (
    <div role="alert" className="flex flex-wrap items-center gap-3 px-3 py-4 text-xs text-bad">
      <Icon name="warning" />
      <p className="min-w-0 grow wrap-anywhere">{inWords(error)}</p>
      {onAgain && <Button onClick={onAgain}>{say("again")}</Button>}
    </div>
  );
}

interface Query<T> {
  data?: T | undefined;
  error: unknown;
  refetch?: () => unknown;
  /** When the data came, in milliseconds. */
  dataUpdatedAt?: number;
}

/** Over data that could not be asked for again: how old it is, and why. */
function Old({ since, error }: { since: number; error: unknown }) {
  const say = useWords(UI);
  const inWords = useProblemWords();
  const now = useNow();
  return (
    <p data-testid="old" className="border-b border-warn/50 bg-warn/10 px-3 py-1.5 text-xs wrap-anywhere text-warn">
      {say("old", { age: now ? duration(Math.max(0, now - since)) : "–", why: inWords(error) })}
    </p>
  );
}

/** What a query has: its data, lines while it is coming, or what went wrong. Old data stays when a refetch fails, and is said to be old. What is live is asked for again by itself. */
export function Answer<T>({ of, rows, children }: { of: Query<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) {
    return (
      <>
        {Boolean(of.error) && of.dataUpdatedAt !== undefined && <Old since={of.dataUpdatedAt} error={of.error} />}
        {children(of.data)}
      </>
    );
  }
  if (of.error) return <Failed error={of.error} onAgain={of.refetch && (() => void of.refetch?.())} />;
  return <Loading rows={rows} />;
}
