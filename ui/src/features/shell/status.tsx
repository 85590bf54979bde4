"use client";

import { Icon } from "@/components/ui/icons";
import { type Health, State } from "@/components/ui/badge";
import type { LiveState } from "@/lib/live/connection";
import { useFreshAt, useLiveStatus } from "@/lib/live/hooks";
import { usePreferences } from "@/lib/preferences";
import { duration, useNow, useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

const HEALTH: Record<LiveState, Health> = { connecting: "moving", live: "well", stale: "warn", lost: "bad" };

/** Over every page as long as what it shows is not live. */
export function ConnectionBanner() {
  const say = useWords(SHELL);
  const { state } = useLiveStatus();
  const freshAt = useFreshAt();
  const now = useNow(500);
  if (state === "live" || state === "connecting") return null;
  const since = freshAt();
  const age = duration(Math.max(0, now - since));
  const text = !since ? say("lostBannerNever") : say(state === "lost" ? "lostBanner" : "staleBanner", { age });
  return (
    <div role="alert" data-testid="connection-banner" className="flex shrink-0 items-center gap-2 border-b border-bad/50 bg-bad/12 px-4 py-1.5 text-xs font-medium text-bad">
      <Icon name="warning" size={14} />
      <span className="min-w-0">{text}</span>
    </div>
  );
}

/** At the foot of every page: the connection, and the time in the zone that is set. */
export function StatusBar() {
  const say = useWords(SHELL);
  const { state, instance } = useLiveStatus();
  const { zone } = usePreferences();
  const now = useNow();
  const { moment } = useTimes();
  return (
    <footer className="flex h-7 shrink-0 items-center gap-4 border-t bg-panel px-3 text-2xs text-faint">
      <span data-testid="live-state" data-state={state}>
        <State health={HEALTH[state]}>{say(`state.${state}`)}</State>
      </span>
      {instance && <span className="truncate max-sm:hidden">{say("via", { instance })}</span>}
      <span className="figure ml-auto whitespace-nowrap">{now ? moment(now) : ""}</span>
      <span className="whitespace-nowrap">{say(`zone.${zone}`)}</span>
    </footer>
  );
}
