"use client";

import { type FormEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { useWords } from "@/lib/words";
import { Button, IconButton } from "./button";
import { cx } from "./cx";
import { Field } from "./field";
import { NotDone, useProblemWords } from "./states";
import { DialogToasts, toast } from "./toast";
import { UI } from "./words";

interface DialogProps {
  title: string;
  /** While it waits for an answer it cannot be closed: what became of it would be told to nobody. */
  busy?: boolean;
  onClose: () => void;
  children: ReactNode;
  className?: string;
}

/** A modal dialog of the browser's own: it keeps the focus inside, Escape closes it, and the focus goes back to where it was. Render it only while it is open. */
export function Dialog({ title, busy, onClose, children, className }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const say = useWords(UI);
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    shown?.querySelector<HTMLElement>("[data-focus]")?.focus(); // React's autoFocus comes while it is not shown yet, and the browser would take its cross
    return () => shown?.close(); // before it leaves the document: only then the browser gives the focus back
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      closedby={busy ? "none" : "closerequest"} // a browser closes at the second Escape whatever its event is told
      onCancel={(event) => {
        event.preventDefault();
        if (!busy) onClose();
      }}
      onMouseDown={(event) => event.target === dialog.current && !busy && onClose()}
      className={cx("m-auto w-[min(480px,calc(100vw-24px))] rounded-md border border-strong bg-panel p-0 shadow-2xl", className)}
    >
      <header className="flex items-center justify-between gap-3 border-b py-1.5 pr-1.5 pl-4">
        <h2 id={id} className="min-w-0 text-sm font-semibold wrap-anywhere">
          {title}
        </h2>
        <IconButton icon="close" label={say("close")} disabled={busy} onClick={onClose} />
      </header>
      {children}
      <DialogToasts />
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  /** What will be done, and what follows from it. */
  children: ReactNode;
  /** What the button says. */
  action: string;
  /** What has to be typed before; without, the button is enough. */
  word?: string;
  danger?: boolean;
  /** False as long as it cannot be done. */
  ready?: boolean;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
  /** How an error of it is said. */
  inWords?: (error: unknown) => string;
}

/** Ask before it is done. It closes when it is done, and stays with the reason when it fails; where its page was left meanwhile, a toast tells it. */
export function Confirm({ title, children, action, word, danger, ready = true, onConfirm, onClose, inWords }: ConfirmProps) {
  const say = useWords(UI);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const usual = useProblemWords();
  const isThere = useRef(false);
  useEffect(() => {
    isThere.current = true;
    return () => {
      isThere.current = false;
    };
  }, []);
  const isTyped = word === undefined || typed === word;
  const confirm = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      onClose();
    } catch (problem) {
      if (!isThere.current) return toast(`${title}: ${(inWords ?? usual)(problem)}`, "bad");
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} busy={busy} onClose={onClose}>
      <form onSubmit={(event) => void confirm(event)} className="grid gap-4 p-4">
        <div className="grid gap-3 text-sm text-soft">{children}</div>
        {word !== undefined && (
          <Field label={say("typeToConfirm", { word })} value={typed} onChange={(event) => setTyped(event.target.value)} className="figure" autoFocus />
        )}
        <NotDone error={error} inWords={inWords} />
        <div className="flex justify-end gap-2">
          <Button kind="quiet" disabled={busy} onClick={onClose}>
            {say("cancel")}
          </Button>
          <Button type="submit" kind={danger ? "danger" : "primary"} busy={busy} disabled={!isTyped || !ready}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
