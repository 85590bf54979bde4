import type { ReactNode } from "react";
import { cx } from "./cx";

const TONES = {
  quiet: "text-soft border-strong",
  accent: "text-accent border-accent/50",
  warn: "text-warn border-warn/60",
  bad: "text-bad border-bad/60",
} as const;

export function Badge({ tone = "quiet", children }: { tone?: keyof typeof TONES; children: ReactNode }) {
  return (
    <span className={cx("inline-flex h-[18px] items-center rounded-sm border px-1.5 text-2xs font-medium whitespace-nowrap", TONES[tone])}>
      {children}
    </span>
  );
}

const DOTS = {
  well: "bg-well",
  idle: "border border-faint",
  moving: "bg-accent",
  warn: "bg-warn",
  bad: "bg-bad",
} as const;
export type Health = keyof typeof DOTS;

/** How a thing is: a dot and a word. The word alone says it, too. */
export function State({ health, children }: { health: Health; children: ReactNode }) {
  return (
    <span className={cx("inline-flex items-center gap-1.5 whitespace-nowrap", health === "bad" && "text-bad", health === "warn" && "text-warn", health === "idle" && "text-soft")}>
      <span aria-hidden="true" className={cx("size-[7px] shrink-0 rounded-full", DOTS[health])} />
      {children}
    </span>
  );
}
