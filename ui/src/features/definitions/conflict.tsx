"use client";

import { Button } from "@/components/ui/button";
import { Icon } from "@/components/ui/icons";
import { NotDone } from "@/components/ui/states";
import { SideBySide } from "@/features/compare/side-by-side";
import { useWords } from "@/lib/words";
import { type Definition, linesOf, type Service } from "./definition";
import { DEFINITIONS } from "./words";

/** What it is now, with its revision: 0 and null where it is gone. `begunAt` is what one has edited. */
export interface Conflicting {
  current: Service | null;
  revision: number;
  begunAt: number;
}

interface ConflictProps {
  name: string;
  of: Conflicting;
  yours: Definition;
  busy: boolean;
  error: unknown;
  onTakeTheirs: (theirs: Service) => void;
  onOverwrite: () => void;
  onDiscard: () => void;
}

/** What somebody else has made of it in the meantime, next to what one wanted: nothing is lost before one has chosen. */
export function Conflict({ name, of: { current, revision, begunAt }, yours, busy, error, onTakeTheirs, onOverwrite, onDiscard }: ConflictProps) {
  const say = useWords(DEFINITIONS);
  const why = current === null ? say("conflictGone") : begunAt ? say("conflictText", { old: begunAt, revision }) : say("conflictExists", { revision });
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4 p-4">
      <div role="alert" className="flex gap-3 rounded-sm border border-warn/60 bg-warn/10 px-3 py-2 text-xs">
        <span className="pt-0.5 text-warn">
          <Icon name="warning" />
        </span>
        <div>
          <p className="font-medium">{say("conflictTitle", { name })}</p>
          <p className="text-soft">{why}</p>
        </div>
      </div>
      <SideBySide before={{ title: current ? say("now", { revision }) : say("gone"), text: current ? linesOf(current) : "" }} after={{ title: say("yours"), text: linesOf(yours) }} />
      <NotDone error={error} />
      <div className="flex flex-wrap justify-end gap-2">
        <Button kind="quiet" disabled={busy} onClick={onDiscard}>
          {say("discard")}
        </Button>
        {current && <Button disabled={busy} onClick={() => onTakeTheirs(current)}>{say("takeTheirs")}</Button>}
        <Button kind="danger" busy={busy} onClick={onOverwrite}>
          {say(current ? "overwrite" : "createAgain")}
        </Button>
      </div>
    </div>
  );
}
