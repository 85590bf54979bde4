"use client";

import { Button } from "@/components/ui/button";
import { Icon } from "@/components/ui/icons";
import { PageHead, Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { to, useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { EntryDetail } from "./entry-detail";
import { EntryTable } from "./entry-table";
import { queryOf } from "./entries";
import { Filters } from "./filters";
import { Strip } from "./strip";
import { useAudit, useWanted } from "./use-audit";
import { AUDIT } from "./words";

/** The audit trail: what is kept of it, and what comes. */
export function Audit() {
  const say = useWords(AUDIT);
  const filter = useWanted();
  const audit = useAudit(filter.wanted);
  const [sequence, choose] = useUrlState("entry");
  const selected = audit.entries?.find((one) => String(one.sequence) === sequence);
  return (
    <>
      <PageHead title={say("title")} note={say("note")} actions={<Export query={queryOf(filter.wanted)} />} />
      <Filters {...filter} />
      <div className={sequence ? "grid grid-cols-[minmax(0,1fr)] items-start gap-3 xl:grid-cols-[minmax(0,1fr)_420px]" : "grid grid-cols-[minmax(0,1fr)] gap-3"}>
        <Panel title={say("table")} note={audit.entries && say("count", { count: audit.entries.length })} className={sequence ? "max-xl:order-2" : ""}>
          <Answer of={{ ...audit, data: audit.entries }} rows={10}>
            {(entries) => (
              <>
                {entries.length > 0 && <Strip of={entries} />}
                <EntryTable rows={entries} selected={sequence} onOpen={(one) => choose(String(one.sequence) === sequence ? "" : String(one.sequence))} empty={say(audit.hasNextPage ? "searching" : "none")} />
                <div className="border-t p-2 text-center text-xs text-faint">
                  {audit.hasNextPage ? (
                    <Button kind="quiet" busy={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
                      {say("older")}
                    </Button>
                  ) : (
                    entries.length > 0 && say("end")
                  )}
                </div>
              </>
            )}
          </Answer>
        </Panel>
        {selected ? (
          <EntryDetail of={selected} onClose={() => choose("")} />
        ) : (
          sequence &&
          audit.entries && (
            <Panel title={say("entry", { sequence })}>
              <Empty>{say("notHere", { sequence })}</Empty>
            </Panel>
          )
        )}
      </div>
    </>
  );
}

function Export({ query }: { query: Record<string, string> }) {
  const say = useWords(AUDIT);
  return (
    <a href={to("/api/audit.csv", query)} download="audit.csv" title={say("exportNote")} className="inline-flex h-7 items-center gap-1.5 rounded-sm border border-strong bg-raised px-2.5 text-xs whitespace-nowrap hover:border-faint">
      <Icon name="audit" size={14} />
      {say("export")}
    </a>
  );
}
