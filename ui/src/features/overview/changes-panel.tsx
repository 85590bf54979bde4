"use client";

import { cx } from "@/components/ui/cx";
import { Panel } from "@/components/ui/panel";
import { Empty } from "@/components/ui/states";
import { STATUS } from "@/features/instances/words";
import { useChanges } from "@/features/shell/changes";
import type { Change } from "@/features/shell/watching";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { OVERVIEW } from "./words";

const SHOWN = 100;
const BAD = new Set(["LOST", "UNHEALTHY", "SUSPENDED"]);

/** What has happened on the desk, the latest first. */
export function ChangesPanel() {
  const say = useWords(OVERVIEW);
  const inWords = useChangeWords();
  const { changes } = useChanges();
  const { precise } = useTimes();
  return (
    <Panel title={say("changes")}>
      {changes.length ? (
        <ol tabIndex={0} aria-label={say("changes")} className="max-h-72 overflow-y-auto py-1 text-xs">
          {changes.slice(0, SHOWN).map((change) => (
            <li key={change.id} className="grid grid-cols-[auto_minmax(0,1fr)] gap-3 px-3 py-[3px]">
              <time className="figure text-faint">{precise(change.at)}</time>
              <span className={cx("wrap-anywhere", change.kind === "lost" || BAD.has(change.to) ? "text-bad" : "text-soft")}>{inWords(change)}</span>
            </li>
          ))}
        </ol>
      ) : (
        <Empty>{say("noChanges")}</Empty>
      )}
    </Panel>
  );
}

function useChangeWords(): (change: Change) => string {
  const say = useWords(OVERVIEW);
  const sayStatus = useWords(STATUS);
  const status = (name: string) => (name in STATUS.en ? sayStatus(name as keyof (typeof STATUS)["en"]) : name);
  return ({ kind, service, name, from, to }) => {
    const key = `${service}/${name}`;
    switch (kind) {
      case "key-moved":
        return from ? say("keyMoved", { name: key, from, to }) : say("keyFirst", { name: key, to });
      case "key-state":
        return say("keyState", { name: key, from: status(from), to: status(to) });
      case "status":
        return say("status", { name, from: status(from), to: status(to) });
      case "lost":
        return say("lostOne", { name });
      default:
        return say(kind, { name });
    }
  };
}
