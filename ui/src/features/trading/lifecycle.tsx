"use client";

import { cx } from "@/components/ui/cx";
import { duration, useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { isWorking, type Order, ORDER_HEALTH } from "./model";
import { TRADING } from "./words";

interface Step {
  title: string;
  /** In milliseconds; 0: it has not come yet. */
  at: number;
  tone: "done" | "open" | "bad";
}

/** The way of an order: intended, at the venue, how it is or ended; with the time that each took. */
export function Lifecycle({ of }: { of: Order }) {
  const say = useWords(TRADING);
  const { precise } = useTimes();
  const created = of.ts_created_ns / 1e6;
  const accepted = of.ts_accepted_ns / 1e6;
  const works = isWorking(of);
  const last: Step = {
    title: of.cancel_asked && works ? say("step.cancelAsked") : say(`status.${of.status}`),
    at: of.ts_updated_ns / 1e6,
    tone: works ? "open" : ORDER_HEALTH[of.status] === "idle" ? "done" : "bad",
  };
  const isOnlyAccepted = of.status === "accepted" && !of.cancel_asked;
  const steps: Step[] = [
    { title: say("step.created"), at: created, tone: "done" },
    ...(accepted || works ? [{ title: say("step.accepted"), at: accepted, tone: accepted ? ("done" as const) : ("open" as const) }] : []),
    ...(isOnlyAccepted || of.status === "pending" ? [] : [last]),
  ];
  return (
    <ol aria-label={say("lifecycle")} className="flex flex-wrap gap-x-10 gap-y-2 border-b px-3 py-3 text-xs">
      {steps.map((step, at) => (
        <li key={at} className="flex gap-2">
          <span aria-hidden="true" className={cx("mt-[5px] size-2 shrink-0 rounded-full border", step.tone === "done" && "border-soft bg-soft", step.tone === "open" && "border-accent bg-accent", step.tone === "bad" && "border-bad bg-bad", !step.at && "bg-transparent!")} />
          <div>
            <p className="font-medium">{step.title}</p>
            <p className="figure text-faint">
              {step.at ? precise(step.at) : say("notYet")}
              {at > 0 && step.at > 0 && <span className="ml-2">{say("after", { time: duration(step.at - created) })}</span>}
            </p>
          </div>
        </li>
      ))}
    </ol>
  );
}
