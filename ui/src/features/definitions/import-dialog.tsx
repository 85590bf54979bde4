"use client";

import { useState } from "react";
import { State } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { useProblemWords } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { UI } from "@/components/ui/words";
import { SideBySide } from "@/features/compare/side-by-side";
import { useWords } from "@/lib/words";
import { definitionOf, isSame, linesOf, type Named, parsed, put, type Service } from "./definition";
import { DEFINITIONS } from "./words";

const LARGEST_BYTES = 1 << 20;

interface Item {
  wanted: Named;
  /** As it was when the file was read; its revision is what is written over. */
  before: Service | undefined;
  kind: "new" | "changed" | "same";
}
type Outcome = "done" | { error: unknown };

/** Read a file, show what it would change, and write that: each one over the revision that was shown. */
export function ImportDialog({ services, onDone, onClose }: { services: Service[]; onDone: () => void; onClose: () => void }) {
  const say = useWords(DEFINITIONS);
  const sayUi = useWords(UI);
  const [items, setItems] = useState<Item[]>([]);
  const [wrong, setWrong] = useState("");
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, Outcome>>(new Map());
  const [busy, setBusy] = useState(false);
  const todo = items.filter((one) => one.kind !== "same");
  const read = async (file: File | undefined) => {
    setItems([]);
    setOutcomes(new Map());
    setWrong("");
    if (!file) return;
    if (file.size > LARGEST_BYTES) return setWrong(say("tooLarge"));
    const said = parsed(await file.text());
    if ("reason" in said) {
      const { reason, ...places } = said;
      return setWrong(reason === "tooMany" ? say(reason) : say("unreadable", { reason: say(reason, places) }));
    }
    setItems(said.definitions.map((wanted) => itemOf(wanted, services)));
  };
  const write = async () => {
    setBusy(true);
    const found = new Map<string, Outcome>();
    for (const { wanted, before } of todo) {
      const outcome: Outcome = await put(wanted.name, definitionOf(wanted), before?.revision ?? 0).then(
        () => "done",
        (error: unknown) => ({ error }),
      );
      found.set(wanted.name, outcome);
      setOutcomes(new Map(found));
    }
    const done = [...found.values()].filter((one) => one === "done").length;
    toast(say("importDone", { done, count: todo.length }), done < todo.length ? "bad" : "done");
    setBusy(false);
    onDone();
    if (done === todo.length) onClose();
  };
  return (
    <Dialog title={say("importTitle")} busy={busy} onClose={onClose} className="w-[min(760px,calc(100vw-24px))]!">
      <div className="grid grid-cols-[minmax(0,1fr)] gap-4 p-4">
        <p className="text-xs text-soft">{say("importText")}</p>
        <Field label={say("file")} type="file" accept="application/json,.json" error={wrong || undefined} disabled={busy} onChange={(event) => void read(event.target.files?.[0])} className="h-auto! py-1 text-xs!" />
        {items.length > 0 && (
          <ul className="max-h-[50dvh] overflow-y-auto rounded-sm border" tabIndex={0} aria-label={say("table")}>
            {items.map((item) => (
              <Preview key={item.wanted.name} of={item} outcome={outcomes.get(item.wanted.name)} />
            ))}
          </ul>
        )}
        {items.length > 0 && !todo.length && <p className="text-xs text-faint">{say("nothingToDo")}</p>}
        <div className="flex justify-end gap-2">
          <Button kind="quiet" disabled={busy} onClick={onClose}>
            {sayUi("cancel")}
          </Button>
          <Button kind="primary" busy={busy} disabled={!todo.length || outcomes.size > 0} onClick={() => void write()}>
            {say("importAction", { count: todo.length })}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function itemOf(wanted: Named, services: Service[]): Item {
  const before = services.find((one) => one.name === wanted.name);
  return { wanted, before, kind: !before ? "new" : isSame(before, wanted) ? "same" : "changed" };
}

function Preview({ of: { wanted, before, kind }, outcome }: { of: Item; outcome: Outcome | undefined }) {
  const say = useWords(DEFINITIONS);
  const inWords = useProblemWords();
  const isFailed = typeof outcome === "object";
  return (
    <li className="border-b last:border-b-0">
      <details>
        <summary className="flex flex-wrap items-center gap-3 px-3 py-1.5 text-xs">
          <span className="figure min-w-0 grow font-medium wrap-anywhere">{wanted.name}</span>
          {outcome === undefined ? <State health={kind === "same" ? "idle" : "moving"}>{say(`kind.${kind}`)}</State> : <State health={isFailed ? "bad" : "well"}>{say(isFailed ? "outcome.failed" : "outcome.done")}</State>}
          {isFailed && <span className="w-full wrap-anywhere text-bad">{inWords(outcome.error)}</span>}
        </summary>
        <div className="px-3 pb-3">
          <SideBySide before={{ title: before ? say("before") : say("importNone"), text: before ? linesOf(before) : "" }} after={{ title: say("after"), text: linesOf(wanted) }} height="240px" />
        </div>
      </details>
    </li>
  );
}
