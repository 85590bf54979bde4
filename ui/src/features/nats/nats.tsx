"use client";

import { Segments } from "@/components/ui/field";
import { PageHead } from "@/components/ui/panel";
import { useMay } from "@/features/session/session";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { Buckets } from "./buckets";
import { AllConsumers } from "./consumers";
import { Servers } from "./servers";
import { Streams } from "./streams";
import { NATS } from "./words";

const VIEWS = { streams: Streams, consumers: AllConsumers, buckets: Buckets, server: Servers };
type View = keyof typeof VIEWS;

/** What NATS itself says. */
export function Nats() {
  const say = useWords(NATS);
  const mayLook = useMay("operator");
  const [asked, setView] = useUrlState("view", "streams");
  const views = (Object.keys(VIEWS) as View[]).filter((view) => view !== "buckets" || mayLook);
  const view = views.find((one) => one === asked) ?? "streams";
  const Shown = VIEWS[view];
  return (
    <>
      <PageHead title={say("title")} actions={<Segments label={say("view")} value={view} onChange={setView} options={views.map((value) => ({ value, label: say(`view.${value}`) }))} />} />
      <Shown />
    </>
  );
}
