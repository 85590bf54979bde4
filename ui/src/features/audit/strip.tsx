"use client";

import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { type Bin, bins, type Entry } from "./entries";
import { AUDIT } from "./words";

const COUNT = 72;
const HIGH_PX = 30;
const LEAST_PX = 2;

/** When the shown entries were, from the oldest to the latest. */
export function Strip({ of }: { of: Entry[] }) {
  const say = useWords(AUDIT);
  const { moment } = useTimes();
  const found = bins(of, COUNT);
  const most = Math.max(1, ...found.map(total));
  const height = (count: number) => (count ? Math.max(LEAST_PX, (count / most) * HIGH_PX) : 0);
  return (
    <figure className="border-b px-3 pt-3 pb-1.5">
      <div aria-hidden="true" className="flex items-end gap-px border-b border-strong" style={{ height: HIGH_PX + 1 }}>
        {found.map((bin) => (
          <div key={bin.from} title={`${moment(bin.from)} · ${total(bin)}`} className="flex h-full min-w-px flex-1 flex-col justify-end">
            <div className="bg-bad" style={{ height: height(bin.failed) }} />
            <div className="bg-warn" style={{ height: height(bin.refused) }} />
            <div className="bg-soft/70" style={{ height: height(bin.done) }} />
          </div>
        ))}
      </div>
      <figcaption className="mt-1 text-2xs text-faint">
        <span className="figure flex justify-between gap-4">
          <span>{moment(of.at(-1)!.at)}</span>
          <span>{moment(of[0]!.at)}</span>
        </span>
        {say("strip")}
      </figcaption>
    </figure>
  );
}

function total(bin: Bin): number {
  return bin.done + bin.refused + bin.failed;
}
