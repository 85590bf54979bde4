"use client";

import { State, type Health } from "@/components/ui/badge";
import { RowName } from "@/components/ui/row-name";
import { type Column, Table } from "@/components/ui/table";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Entry, Result } from "./entries";
import { useWho } from "./way";
import { ACTIONS, AUDIT } from "./words";

export const RESULT_HEALTH: Record<Result, Health> = { done: "well", refused: "warn", failed: "bad", unknown: "bad" };

/** An action in words; one that we do not know as it is. */
export function useActionWords(): (action: string) => string {
  const say = useWords(ACTIONS);
  return (action) => (action in ACTIONS.en ? say(action as keyof typeof ACTIONS.en) : action);
}

export function EntryTable({ rows, selected, onOpen, empty }: { rows: Entry[]; selected: string; onOpen: (row: Entry) => void; empty: string }) {
  const say = useWords(AUDIT);
  const inWords = useActionWords();
  const { moment } = useTimes();
  const columns: Column<Entry>[] = [
    { key: "time", title: say("time"), width: "164px", cell: (row) => <RowName of={moment(row.at)} className="figure font-normal! text-soft" />, sort: (row) => row.sequence },
    { key: "who", title: say("who"), width: "104px", from: "sm", cell: (row) => <Who of={row} />, sort: (row) => row.who },
    { key: "action", title: say("action"), cell: (row) => <span title={inWords(row.action)}>{inWords(row.action)}</span>, sort: (row) => inWords(row.action) },
    { key: "on", title: say("on"), width: "24%", from: "md", cell: (row) => <span className="figure text-soft" title={row.on}>{row.on || "–"}</span>, sort: (row) => row.on },
    { key: "result", title: say("result"), width: "84px", cell: (row) => <State health={RESULT_HEALTH[row.result]}>{say(`result.${row.result}`)}</State>, sort: (row) => row.result },
    { key: "code", title: say("reason"), width: "148px", from: "lg", cell: (row) => <span className="figure text-soft" title={row.code}>{row.code || <span className="text-faint">–</span>}</span>, sort: (row) => row.code },
    { key: "address", title: say("address"), width: "124px", from: "xl", cell: (row) => <span className="figure text-soft" title={row.address}>{row.address}</span>, sort: (row) => row.address },
  ];
  return <Table name="audit" label={say("table")} columns={columns} rows={rows} rowKey={(row) => String(row.sequence)} selected={selected} onOpen={onOpen} empty={empty} height="max(320px, calc(100dvh - 400px))" />;
}

function Who({ of }: { of: Entry }) {
  const say = useWords(AUDIT);
  const who = useWho()(of);
  return <span className={who === say("nobody") ? "text-faint" : "font-medium"} title={who}>{who}</span>;
}
