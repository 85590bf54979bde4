"use client";

import { Button } from "@/components/ui/button";
import { cx } from "@/components/ui/cx";
import { Segments } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { decimal, whole } from "@/lib/format";
import { useTimes } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { keyOf, sideOf, type Tick } from "./quotes";
import { useTicks } from "./use-ticks";
import { MARKET } from "./words";

/** The place of the stream that a page of ticks begins before, as the address says it: of any contract. */
export function useTickPage(): [string, (before: string) => void] {
  const [asked, set] = useUrlState("ticks-before", "", "push");
  return [/^\d{1,15}$/.test(asked) ? asked : "", set];
}

/** The stored ticks and those that come, shown twice a second; older ones in pages. */
export function TickList({ instrument, digits }: { instrument: string; digits: number }) {
  const say = useWords(MARKET);
  const { precise, moment } = useTimes();
  const [only, setOnly] = useUrlState("ticks", "all");
  const [before, setBefore] = useTickPage();
  const { stored, rows: all } = useTicks(instrument, before);
  const rows = only === "all" ? all : all.filter((tick) => tick.volume_delta > 0);
  const at = (tick: Tick) => moment(tick.ts_exchange_ns / 1e6);
  const flagsOf = (tick: Tick) => tick.flags.map((flag) => say(`flag.${flag}`)).join(", ");
  const columns: Column<Tick>[] = [
    { key: "at", title: say("time"), width: "120px", cell: (row) => <span className="figure">{precise(row.ts_exchange_ns / 1e6)}</span> },
    {
      key: "price",
      title: say("last"),
      right: true,
      cell: (row) => (
        <span data-move={sideOf(row)} className="data-[move=down]:text-down data-[move=up]:text-up">
          {decimal(row.last_price, digits)}
        </span>
      ),
    },
    { key: "volume", title: say("traded"), right: true, width: "64px", cell: (row) => <span className={cx(!row.volume_delta && "text-faint")}>{whole(row.volume_delta)}</span> },
    { key: "interest", title: say("interest"), right: true, width: "84px", from: "sm", cell: (row) => <span className="text-soft">{whole(row.open_interest)}</span> },
    { key: "bid", title: say("bid"), right: true, from: "sm", cell: (row) => <span className="text-soft">{decimal(row.bids[0]?.[0], digits)}</span> },
    { key: "ask", title: say("ask"), right: true, from: "sm", cell: (row) => <span className="text-soft">{decimal(row.asks[0]?.[0], digits)}</span> },
    { key: "flags", title: say("flags"), width: "84px", from: "md", cell: (row) => <span title={flagsOf(row)} className="text-faint">{flagsOf(row)}</span> },
  ];
  return (
    <Panel
      title={say("ticks")}
      note={before && all.length > 0 ? say("ticksBetween", { first: at(all.at(-1)!), last: at(all[0]!) }) : undefined}
      actions={
        <Segments
          label={say("ticks")}
          value={only}
          onChange={setOnly}
          options={[
            { value: "all", label: say("allTicks") },
            { value: "traded", label: say("onlyTraded") },
          ]}
        />
      }
    >
      <Answer of={stored} rows={6}>
        {({ next }) => (
          <>
            <Table
              key={before}
              name="ticks"
              label={say("ticks")}
              columns={columns}
              rows={rows}
              rowKey={keyOf}
              empty={say(all.length ? "noneTraded" : "noTicks")}
              height="300px"
            />
            <div className="flex flex-wrap items-center justify-center gap-2 border-t p-2 text-xs text-faint">
              {before && (
                <Button kind="quiet" onClick={() => setBefore("")}>
                  {say("newestTicks")}
                </Button>
              )}
              {next !== null ? (
                <Button kind="quiet" busy={stored.isPlaceholderData} onClick={() => setBefore(String(next))}>
                  {say("olderTicks")}
                </Button>
              ) : (
                all.length > 0 && say("noOlderTicks")
              )}
            </div>
          </>
        )}
      </Answer>
    </Panel>
  );
}
