"use client";

import { useSyncExternalStore } from "react";
import { useWords } from "@/lib/words";
import { IconButton } from "./button";
import { cx } from "./cx";
import { Icon } from "./icons";
import { UI } from "./words";

interface Toast {
  id: number;
  text: string;
  tone: "done" | "bad";
}

const STAYS_MS = 6_000;
const MOST = 4;
const NONE: Toast[] = [];

let toasts: Toast[] = NONE;
let last = 0;
const listeners = new Set<() => void>();

function change(next: Toast[]): void {
  toasts = next;
  listeners.forEach((listener) => listener());
}

function dismiss(id: number): void {
  change(toasts.filter((one) => one.id !== id));
}

/** Tell what was done, for six seconds; what went wrong stays until it is dismissed. */
export function toast(text: string, tone: Toast["tone"] = "done"): void {
  const id = ++last;
  change([...toasts, { id, text, tone }].slice(-MOST));
  if (tone === "done") setTimeout(() => dismiss(id), STAYS_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const say = useWords(UI);
  const shown = useSyncExternalStore(subscribe, () => toasts, () => NONE);
  return (
    <div role="status" aria-live="polite" className="pointer-events-none fixed print:hidden bottom-10 left-3 z-50 grid w-[min(360px,calc(100vw-24px))] gap-2">
      {shown.map((one) => (
        <div key={one.id} className={cx("pointer-events-auto flex items-start gap-2 rounded-md border bg-raised py-1.5 pr-1 pl-3 text-xs shadow-lg", one.tone === "bad" ? "border-bad/60" : "border-strong")}>
          <span className={cx("pt-1.5", one.tone === "bad" ? "text-bad" : "text-well")}>
            <Icon name={one.tone === "bad" ? "warning" : "check"} size={14} />
          </span>
          <p className="min-w-0 grow py-1 wrap-anywhere">{one.text}</p>
          <IconButton icon="close" label={say("dismiss")} onClick={() => dismiss(one.id)} />
        </div>
      ))}
    </div>
  );
}
