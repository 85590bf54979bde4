"use client";

import { Button } from "@/components/ui/button";
import { Choice, Field } from "@/components/ui/field";
import { useWords } from "@/lib/words";
import { RESULTS } from "./entries";
import type { useWanted } from "./use-audit";
import { MomentField } from "./moment-field";
import { ACTIONS, AUDIT } from "./words";

const LONGEST_NAME = 32;
const LONGEST_ON = 256;

/** Who, what, on what, how it ended and when; moments in the time zone that is set. */
export function Filters({ wanted, set, clear, isAny }: ReturnType<typeof useWanted>) {
  const say = useWords(AUDIT);
  const sayAction = useWords(ACTIONS);
  return (
    <form role="search" aria-label={say("title")} onSubmit={(event) => event.preventDefault()} className="grid grid-cols-2 items-end gap-2 rounded-md border bg-panel p-3 sm:grid-cols-3 xl:grid-cols-[1fr_1.2fr_1.2fr_0.8fr_180px_180px_auto] [&>div]:min-w-0">
      <Field label={say("who")} value={wanted.who} maxLength={LONGEST_NAME} onChange={(event) => set.who(event.target.value.toLowerCase().replace(/[^a-z0-9_-]/g, ""))} />
      <Choice label={say("action")} value={wanted.action} onChange={(event) => set.action(event.target.value)}>
        <option value="">{say("any")}</option>
        {(Object.keys(ACTIONS.en) as (keyof typeof ACTIONS.en)[]).map((action) => (
          <option key={action} value={action}>
            {sayAction(action)}
          </option>
        ))}
      </Choice>
      <Field label={say("on")} placeholder={say("onHint")} value={wanted.on} maxLength={LONGEST_ON} onChange={(event) => set.on(event.target.value)} />
      <Choice label={say("result")} value={wanted.result} onChange={(event) => set.result(event.target.value)}>
        <option value="">{say("any")}</option>
        {RESULTS.map((result) => (
          <option key={result} value={result}>
            {say(`result.${result}`)}
          </option>
        ))}
      </Choice>
      <div className="max-sm:col-span-2">
        <MomentField label={say("from")} value={wanted.since} onChange={set.since} />
      </div>
      <div className="max-sm:col-span-2">
        <MomentField label={say("until")} value={wanted.until} onChange={set.until} />
      </div>
      <Button kind="quiet" icon="close" disabled={isAny} onClick={clear} className="h-8!">
        {say("clear")}
      </Button>
    </form>
  );
}
