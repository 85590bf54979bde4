"use client";

import { useEffect, useId, useSyncExternalStore } from "react";
import { useWords } from "@/lib/words";
import { IconButton } from "./button";
import { cx } from "./cx";
import { Icon } from "./icons";
import { UI } from "./words";

interface Toast {
  id: number;
  text: string;
  tone: "done" | "bad";
  /** What a person is to copy, since the browser did not let us. */
  toCopy?: string;
}

const STAYS_MS = 6_000;
const MOST = 4;
const NONE: Toast[] = [];

let toasts: Toast[] = NONE;
/** Of the dialogs that are open, the topmost last. */
let dialogs: string[] = [];
let last = 0;
const listeners = new Set<() => void>();

function tell(): void {
  listeners.forEach((listener) => listener());
}

function change(next: Toast[]): void {
  toasts = next;
  tell();
}

function dismiss(id: number): void {
  change(toasts.filter((one) => one.id !== id));
}

/** Tell what was done, for six seconds; what went wrong stays until it is dismissed. */
export function toast(text: string, tone: Toast["tone"] = "done", toCopy?: string): void {
  const id = ++last;
  change([...toasts, { id, text, tone, toCopy }].slice(-MOST));
  if (tone === "done") setTimeout(() => dismiss(id), STAYS_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** All toasts, of the page; those of a dialog take its place as long as one is open, for what is behind it is neither seen nor told. */
export function Toasts() {
  return <Region of="" />;
}

/** Within each dialog: they are shown in the topmost one. */
export function DialogToasts() {
  const id = useId();
  useEffect(() => {
    dialogs = [...dialogs, id];
    tell();
    return () => {
      dialogs = dialogs.filter((one) => one !== id);
      tell();
    };
  }, [id]);
  return <Region of={id} />;
}

/** It is there before there is anything to tell: only what is added to it is told. */
function Region({ of }: { of: string }) {
  const shown = useSyncExternalStore(subscribe, () => ((dialogs.at(-1) ?? "") === of ? toasts : NONE), () => NONE);
  return (
    <div role="log" data-testid="toasts" className="pointer-events-none fixed print:hidden bottom-10 left-3 z-50 grid w-[min(360px,calc(100vw-24px))] gap-2">
      {shown.map((one) => (
        <Told key={one.id} of={one} />
      ))}
    </div>
  );
}

function Told({ of: { id, text, tone, toCopy } }: { of: Toast }) {
  const say = useWords(UI);
  return (
    <div className={cx("pointer-events-auto flex items-start gap-2 rounded-md border bg-raised py-1.5 pr-1 pl-3 text-xs shadow-lg", tone === "bad" ? "border-bad/60" : "border-strong")}>
      <span className={cx("pt-1.5", tone === "bad" ? "text-bad" : "text-well")}>
        <Icon name={tone === "bad" ? "warning" : "check"} size={14} />
      </span>
      <div className="grid min-w-0 grow gap-1.5 py-1">
        <p className="wrap-anywhere">{text}</p>
        {toCopy && <textarea readOnly rows={3} aria-label={say("toCopy")} value={toCopy} onFocus={(event) => event.target.select()} onClick={(event) => event.currentTarget.select()} className="figure w-full resize-none rounded-sm border border-strong bg-field px-2 py-1" />}
      </div>
      <IconButton icon="close" label={say("dismiss")} onClick={() => dismiss(id)} />
    </div>
  );
}
