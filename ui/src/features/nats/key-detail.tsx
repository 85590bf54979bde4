"use client";

import { useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/badge";
import { Choice } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { RowName } from "@/components/ui/row-name";
import { SideBySide } from "@/features/compare/side-by-side";
import { answered, api, type Schemas } from "@/lib/api/client";
import { bytes } from "@/lib/bytes";
import { useTimes } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { type Say, useWords } from "@/lib/words";
import { NATS } from "./words";

type Revision = Schemas["RevisionView"];

const AGAIN_MS = 5_000;

/** What a key is at a revision, the latest by itself, next to another one of its revisions. */
export function KeyDetail({ bucket, name }: { bucket: string; name: string }) {
  const asked = useQuery({
    queryKey: ["nats", "key", bucket, name],
    queryFn: () => answered(api.GET("/api/nats/buckets/{bucket}/keys/{key}/history", { params: { path: { bucket, key: name } } })),
    refetchInterval: AGAIN_MS,
  });
  return (
    <Panel title={name} note={bucket}>
      <Answer of={asked}>{(history) => <History of={history} />}</Answer>
    </Panel>
  );
}

function History({ of }: { of: Revision[] }) {
  const say = useWords(NATS);
  const { moment } = useTimes();
  const [chosen, choose] = useUrlState("revision");
  const [against, setAgainst] = useUrlState("against", "before");
  const shown = of.find((one) => String(one.revision) === chosen) ?? of[0];
  if (!shown) return <Empty />;
  const before = of[of.indexOf(shown) + 1];
  const other = against === "before" ? before : of.find((one) => String(one.revision) === against);
  const title = (one: Revision) => (one === of[0] ? say("nowRevision", { revision: one.revision }) : say("atRevision", { revision: one.revision, moment: moment(one.created_at) }));
  return (
    <div className="grid grid-cols-[minmax(0,1fr)]">
      <RevisionTable of={of} selected={shown} onOpen={(one) => choose(one === of[0] ? "" : String(one.revision))} />
      <div className="grid grid-cols-[minmax(0,1fr)] gap-3 border-t p-3">
        {of.length > 1 && (
          <Choice label={say("compareWith")} value={against} onChange={(event) => setAgainst(event.target.value)} className="max-w-72">
            <option value="none">{say("nothing")}</option>
            <option value="before">{say("theOneBefore")}</option>
            {of
              .filter((one) => one !== shown)
              .map((one) => (
                <option key={one.revision} value={one.revision}>
                  {title(one)}
                </option>
              ))}
          </Choice>
        )}
        {other ? (
          <SideBySide before={{ title: title(other), text: written(other, say) }} after={{ title: title(shown), text: written(shown, say) }} />
        ) : (
          <pre tabIndex={0} aria-label={title(shown)} className="figure max-h-96 overflow-auto rounded-sm border bg-field p-2 text-2xs wrap-anywhere whitespace-pre-wrap">
            {written(shown, say)}
          </pre>
        )}
        {shown.encoding === "base64" && <p className="text-xs text-faint">{say("base64")}</p>}
      </div>
    </div>
  );
}

function RevisionTable({ of, selected, onOpen }: { of: Revision[]; selected: Revision; onOpen: (one: Revision) => void }) {
  const say = useWords(NATS);
  const { moment } = useTimes();
  const columns: Column<Revision>[] = [
    {
      key: "revision",
      title: say("revision"),
      width: "96px",
      cell: (row) => <RowName of={String(row.revision)} className="figure" />,
    },
    { key: "written", title: say("written"), cell: (row) => <span className="figure text-soft">{moment(row.created_at)}</span> },
    { key: "size", title: say("size"), right: true, width: "96px", cell: (row) => (row.deleted ? <Badge tone="warn">{say("deleted")}</Badge> : bytes(row.size)) },
  ];
  return <Table name="revisions" label={say("history")} columns={columns} rows={of} rowKey={(row) => String(row.revision)} selected={String(selected.revision)} onOpen={onOpen} height="190px" />;
}

/** A value as text; JSON with its names in order, so that two of them can be compared. */
function written(one: Revision, say: Say<keyof (typeof NATS)["en"]>): string {
  if (one.deleted) return `(${say("deleted")})`;
  if (one.encoding === "large") return say("large");
  return one.encoding === "json" ? JSON.stringify(ordered(one.value), null, 2) : String(one.value);
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, ordered(one)]),
  );
}
