"use client";

import { State } from "@/components/ui/badge";
import { IconButton } from "@/components/ui/button";
import { Fact, Facts, Panel } from "@/components/ui/panel";
import { UI } from "@/components/ui/words";
import { ROLE_WORDS } from "@/features/session/words";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Entry } from "./entries";
import { RESULT_HEALTH, useActionWords } from "./entry-table";
import { useWho, Way } from "./way";
import { AUDIT } from "./words";

/** All that an entry says. */
export function EntryDetail({ of, onClose }: { of: Entry; onClose: () => void }) {
  const say = useWords(AUDIT);
  const sayUi = useWords(UI);
  const sayRole = useWords(ROLE_WORDS);
  const inWords = useActionWords();
  const who = useWho();
  const { moment, precise } = useTimes();
  const hasDetails = Object.keys(of.details).length > 0;
  return (
    <Panel title={say("entry", { sequence: of.sequence })} actions={<IconButton icon="close" label={sayUi("close")} onClick={onClose} />}>
      <Facts>
        <Fact label={say("time")}>
          <span className="figure">
            {moment(of.at).slice(0, 10)} {precise(of.at)}
          </span>
        </Fact>
        <Fact label={say("who")}>{who(of)}</Fact>
        <Fact label={say("role")}>{of.role ? sayRole(of.role) : "–"}</Fact>
        <Fact label={say("way")}>
          {of.way ? <Way of={of.way} /> : "–"}
        </Fact>
        <Fact label={say("address")}>
          <span className="figure">{of.address}</span>
        </Fact>
        <Fact label={say("action")}>
          {inWords(of.action)} <span className="figure text-faint">{of.action}</span>
        </Fact>
        <Fact label={say("on")}>
          <span className="figure">{of.on || "–"}</span>
        </Fact>
        <Fact label={say("result")}>
          <State health={RESULT_HEALTH[of.result]}>{say(`result.${of.result}`)}</State>
        </Fact>
        <Fact label={say("reason")}>
          <span className="figure">{of.code || "–"}</span>
        </Fact>
        <Fact label={say("instance")}>{of.instance}</Fact>
      </Facts>
      <div className="border-t p-3">
        <h3 className="label mb-1">{say("details")}</h3>
        {hasDetails ? (
          <pre tabIndex={0} aria-label={say("details")} className="figure max-h-80 overflow-auto rounded-sm border bg-field p-2 text-2xs wrap-anywhere whitespace-pre-wrap">
            {JSON.stringify(of.details, null, 2)}
          </pre>
        ) : (
          <p className="text-xs text-faint">{say("noDetails")}</p>
        )}
      </div>
    </Panel>
  );
}
