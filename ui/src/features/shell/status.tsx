"use client";

import { Icon } from "@/components/ui/icons";
import { type Health, State } from "@/components/ui/badge";
import { useProblemWhy } from "@/components/ui/states";
import type { LiveState, Trouble } from "@/lib/live/connection";
import { useFreshAt, useLiveStatus } from "@/lib/live/hooks";
import { usePreferences } from "@/lib/preferences";
import { duration, useNow, useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

const HEALTH: Record<LiveState, Health> = { connecting: "moving", live: "well", partly: "warn", stale: "warn", lost: "bad" };

/** How each live topic is called. */
export const TOPICS = {
  instances: "topic.instances",
  beats: "topic.beats",
  leases: "topic.leases",
  metrics: "topic.metrics",
  feeds: "topic.feeds",
  coverage: "topic.coverage",
  ticks: "topic.ticks",
  orders: "topic.orders",
  consumers: "topic.consumers",
  audit: "topic.audit",
  logs: "topic.logs",
} as const;

/** Over every page as long as what it shows is not live. */
export function ConnectionBanner() {
  const say = useWords(SHELL);
  const { state, troubles, isFull } = useLiveStatus();
  const freshAt = useFreshAt();
  const now = useNow(500);
  if (state === "live" || state === "connecting") return null;
  if (state === "partly") return <TroubleBanner of={troubles} now={now} />;
  const since = freshAt();
  const age = duration(Math.max(0, now - since));
  const text = isFull ? say("fullBanner") : !since ? say("lostBannerNever") : say(state === "lost" ? "lostBanner" : "staleBanner", { age });
  return (
    <>
      <Said>{say(isFull ? "fullBanner" : state === "lost" ? "lostSaid" : "staleSaid")}</Said>
      <section aria-label={say(`state.${state}`)} data-testid="connection-banner" className="flex shrink-0 items-center gap-2 border-b border-bad/50 bg-bad/12 px-4 py-1.5 text-xs font-medium text-bad">
        <Icon name="warning" size={14} />
        <span className="min-w-0">{text}</span>
      </section>
    </>
  );
}

/** Told once to who does not see it: an age that goes on would be told twice a second. */
function Said({ children }: { children: string }) {
  return (
    <p role="alert" className="sr-only">
      {children}
    </p>
  );
}

/** Of what is followed here and not true: what it is, how old, and why. */
function TroubleBanner({ of, now }: { of: readonly Trouble[]; now: number }) {
  const say = useWords(SHELL);
  const inWords = useProblemWhy();
  const nameOf = (topic: string) => {
    const [kind, ...rest] = topic.split(".");
    return kind && kind in TOPICS ? say(TOPICS[kind as keyof typeof TOPICS], { name: rest.join(".") }) : topic;
  };
  return (
    <>
      <Said>{say("troubleSaid", { what: of.map((one) => nameOf(one.topic)).join("; ") })}</Said>
      <section aria-label={say("state.partly")} tabIndex={0} data-testid="trouble-banner" className="max-h-24 shrink-0 overflow-y-auto border-b border-warn/50 bg-warn/10 px-4 py-1.5 text-xs text-warn">
        <ul className="grid gap-0.5">
          {of.map(({ topic, state, since, problem }) => (
            <li key={topic} data-topic={topic}>
              <span className="font-medium">{say(`trouble.${state}`, { what: nameOf(topic), age: duration(Math.max(0, now - since)) })}</span>
              {problem && <span className="wrap-anywhere"> {inWords(problem)}</span>}
            </li>
          ))}
        </ul>
      </section>
    </>
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
    <footer className="flex h-7 shrink-0 items-center gap-4 border-t bg-panel px-3 text-2xs text-faint print:hidden">
      <span data-testid="live-state" data-state={state}>
        <State health={HEALTH[state]}>{say(`state.${state}`)}</State>
      </span>
      {instance && <span className="truncate max-sm:hidden">{say("via", { instance })}</span>}
      <span className="figure ml-auto whitespace-nowrap">{now ? moment(now) : ""}</span>
      <span className="whitespace-nowrap">{say(`zone.${zone}`)}</span>
    </footer>
  );
}
