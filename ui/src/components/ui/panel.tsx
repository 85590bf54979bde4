"use client";

import type { ReactNode } from "react";
import { useTitle } from "@/lib/title";
import { cx } from "./cx";

/** A part of a page: a heading with what belongs to it, and its content up to the edges. */
export function Panel({ title, note, actions, children, className }: { title: string; note?: ReactNode; actions?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section aria-label={title} className={cx("min-w-0 rounded-md border bg-panel", className)}>
      <header className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 border-b px-3 py-1.5">
        <h2 className="text-xs font-semibold">{title}</h2>
        {note !== undefined && <span className="text-xs text-faint">{note}</span>}
        {actions && <div className="ml-auto flex flex-wrap items-center gap-1.5">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** The head of a page: its name, what it is about, and what can be done there. The tab is called so, too. */
export function PageHead({ title, note, actions }: { title: string; note?: ReactNode; actions?: ReactNode }) {
  useTitle("heading", title);
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
      <h1 className="min-w-0 text-[17px] leading-7 font-semibold tracking-[-0.01em] wrap-anywhere">{title}</h1>
      {note && <div className="flex min-w-0 flex-wrap items-center gap-2 text-xs text-soft">{note}</div>}
      {actions && <div className="ml-auto flex flex-wrap items-center gap-1.5">{actions}</div>}
    </div>
  );
}

/** What the last row has left of its places goes to its last figure: 2 in a row, then 3, then all in one. */
const LAST = "max-sm:[&>:last-child:nth-child(odd)]:col-span-2 sm:max-lg:[&>:last-child:nth-child(3n+1)]:col-span-3 sm:max-lg:[&>:last-child:nth-child(3n+2)]:col-span-2";

/** Figures in one line, each under its label. */
export function Figures({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <dl className={cx("grid grid-cols-2 gap-px overflow-hidden rounded-md border bg-line sm:grid-cols-3 lg:flex", LAST, className)}>
      {children}
    </dl>
  );
}

const TONES = { plain: "text-text", soft: "text-soft", warn: "text-warn", bad: "text-bad" } as const;
export type Tone = keyof typeof TONES;

export function Figure({ label, value, note, tone = "plain" }: { label: string; value: ReactNode; note?: ReactNode; tone?: Tone }) {
  return (
    <div className="min-w-0 grow bg-panel px-3 py-2">
      <dt className="label truncate">{label}</dt>
      <dd className="flex flex-wrap items-baseline gap-x-2">
        <span className={cx("figure text-[18px] leading-7 font-medium", TONES[tone])}>{value}</span>
        {note !== undefined && <span className="text-xs text-faint">{note}</span>}
      </dd>
    </div>
  );
}

/** Names and values under each other. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="grid grid-cols-[minmax(7rem,auto)_minmax(0,1fr)] gap-x-4 px-3 py-2 text-xs">{children}</dl>;
}

export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <dt className="py-1 text-faint">{label}</dt>
      <dd className="min-w-0 py-1 wrap-anywhere">{children}</dd>
    </>
  );
}
