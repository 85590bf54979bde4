"use client";

import type { ReactNode } from "react";
import { Problem } from "@/lib/api/problem";
import { type Say, useWords } from "@/lib/words";
import { Button } from "./button";
import { Icon } from "./icons";
import { UI } from "./words";

type UiKey = keyof (typeof UI)["en"];

/** An error in words: what its code means, then what the service said of it. */
export function inWords(say: Say<UiKey>, error: unknown): string {
  if (!(error instanceof Problem)) return say("problem.internal");
  const key = `problem.${error.code}`;
  const meaning = key in UI.en ? say(key as UiKey) : say("problem.rejected");
  const said = [error.detail, ...error.errors.map((one) => `${one.where}: ${one.problem}`)].filter(Boolean).join("; ");
  return said ? `${meaning} ${said}` : meaning;
}

export function useProblemWords(): (error: unknown) => string {
  const say = useWords(UI);
  return (error) => inWords(say, error);
}

/** Why a form was not carried out; nothing without an error, which is null. */
export function NotDone({ error }: { error: unknown }) {
  const inWords = useProblemWords();
  return (
    error !== null && (
      <p role="alert" className="text-xs wrap-anywhere text-bad">
        {inWords(error)}
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
  return (
    <div role="alert" className="flex flex-wrap items-center gap-3 px-3 py-4 text-xs text-bad">
      <Icon name="warning" />
      <p className="min-w-0 grow wrap-anywhere">{inWords(say, error)}</p>
      {onAgain && <Button onClick={onAgain}>{say("again")}</Button>}
    </div>
  );
}

interface Query<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** What a query has: its data, lines while it is coming, or what went wrong. Old data stays when a refetch fails. */
export function Answer<T>({ of, rows, children }: { of: Query<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return children(of.data);
  if (of.error) return <Failed error={of.error} onAgain={() => void of.refetch()} />;
  return <Loading rows={rows} />;
}
