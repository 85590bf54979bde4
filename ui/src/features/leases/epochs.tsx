"use client";

import { cx } from "@/components/ui/cx";
import { type Column, Table } from "@/components/ui/table";
import type { Schemas } from "@/lib/api/client";
import { milliseconds } from "@/lib/format";
import { duration, useNow, useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { LEASES } from "./words";

type Epoch = Schemas["EpochView"];

const HOLDERS = ["bg-accent", "bg-text/70", "bg-faint", "bg-strong"];
const LOWEST_PX = 6;
const HIGHEST_PX = 34;

/** The epochs from left to right: the colour is the holder, the bar below it how long nobody had held the key before. */
export function EpochStrip({ epochs }: { epochs: Epoch[] }) {
  const say = useWords(LEASES);
  const holders = [...new Set(epochs.map((one) => one.holder))];
  const colour = (holder: string) => HOLDERS[Math.min(holders.indexOf(holder), HOLDERS.length - 1)];
  const longest = Math.max(1, ...epochs.map((one) => one.gap_ms ?? 0));
  const gapHeight = (gap: number) => LOWEST_PX + (Math.log1p(gap) / Math.log1p(longest)) * (HIGHEST_PX - LOWEST_PX);
  return (
    <figure className="border-b px-3 pt-3 pb-2">
      <div aria-hidden="true" className="flex h-[68px] items-start gap-[2px]">
        {epochs.toReversed().map((one) => (
          <div key={one.epoch} title={`${one.epoch} · ${one.holder} · ${milliseconds(one.gap_ms)}`} className="max-w-[72px] min-w-[3px] flex-1">
            <div className={cx("h-[26px] rounded-[1px]", colour(one.holder), one.ended_at !== null && "opacity-75")} />
            {one.gap_ms !== null && <div className={cx("mt-[2px] rounded-[1px]", one.began === "takeover" ? "bg-warn/80" : "bg-strong")} style={{ height: gapHeight(one.gap_ms) }} />}
          </div>
        ))}
      </div>
      <figcaption className="mt-1 flex flex-wrap gap-x-4 gap-y-1 text-2xs text-faint">
        {holders.map((holder) => (
          <span key={holder} className="inline-flex items-center gap-1.5">
            <span aria-hidden="true" className={cx("size-2 rounded-[1px]", colour(holder))} />
            {holder}
          </span>
        ))}
        <span className="ml-auto">{say("strip")}</span>
      </figcaption>
    </figure>
  );
}

/** Of a holder that is lost nobody knows how long he served: his epoch ends when another one begins. */
export function EpochTable({ epochs, isLost }: { epochs: Epoch[]; isLost: boolean }) {
  const say = useWords(LEASES);
  const { moment } = useTimes();
  const now = useNow();
  const columns: Column<Epoch>[] = [
    { key: "epoch", title: say("epoch"), right: true, width: "60px", cell: (row) => row.epoch },
    { key: "holder", title: say("holder"), cell: (row) => <span title={row.holder} className="font-medium">{row.holder}</span> },
    { key: "by", title: say("by"), cell: (row) => <span className={row.began === "takeover" ? "text-warn" : "text-soft"}>{say(`way.${row.began}`)}</span> },
    { key: "gap", title: say("gap"), right: true, width: "80px", cell: (row) => milliseconds(row.gap_ms) },
    { key: "began", title: say("began"), right: true, width: "160px", from: "md", cell: (row) => moment(row.began_at) },
    {
      key: "lasted",
      title: say("lasted"),
      right: true,
      width: "92px",
      from: "sm",
      cell: (row) => {
        if (!row.ended_at && isLost) return <span className="text-faint">–</span>;
        return now && duration((row.ended_at ? Date.parse(row.ended_at) : now) - Date.parse(row.began_at));
      },
    },
  ];
  return <Table name="epochs" label={say("timeline")} columns={columns} rows={epochs} rowKey={(row) => String(row.epoch)} height="420px" />;
}
