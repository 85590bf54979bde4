"use client";

import { useMemo } from "react";
import { State, type Health as Dot } from "@/components/ui/badge";
import { Filter, Segments } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { whole } from "@/lib/format";
import { useNow } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { type Health, useContracts, type useCoverage } from "./asked";
import { useBoard } from "./board";
import { Live, paintChange, paintInterest, paintLast, paintPercent, paintVolume, Sparkline } from "./cells";
import { Pick } from "./pick";
import { changeOf, type Contract, digitsOf, type Subscription } from "./quotes";
import { MARKET } from "./words";

const SORT_AGAIN_MS = 2_000;
const EXCHANGES = ["SHFE", "INE", "DCE", "CZCE", "CFFEX", "GFEX"];
const KINDS = ["future", "option", "combination", "other"] as const;
const DOTS: Record<Subscription["state"], Dot> = { ticking: "well", subscribed: "idle", waiting: "moving", refused: "warn" };

interface ListProps {
  coverage: ReturnType<typeof useCoverage>;
  health: Health;
  facts: ReadonlyMap<string, Contract>;
  selected: string;
  onOpen: (instrument: string) => void;
  className?: string;
}

/** One row of either list: a contract that is listed, wanted, or both. */
interface Row {
  instrument: string;
  fact: Contract | undefined;
  wanted: Subscription | undefined;
}

/** The contracts that are watched with what they do right now, or all that the feed lists; found by product, exchange, expiry and kind. */
export function ContractList({ coverage, health, facts, selected, onOpen, className }: ListProps) {
  const say = useWords(MARKET);
  const [view, setView] = useUrlState("view", "watched");
  const [text, setText] = useUrlState("find");
  const [exchange, setExchange] = useUrlState("exchange");
  const [expiry, setExpiry] = useUrlState("expiry");
  const [kind, setKind] = useUrlState("kind", "future");
  const isWatched = view === "watched";
  const listing = useContracts({ exchange, product: "", expiry, kind: kind as Contract["kind"] }, !isWatched);
  const found = text.trim().toLowerCase();
  const wanted = useMemo(() => new Map(coverage.data?.map((one) => [one.instrument, one])), [coverage.data]);
  const fits = ({ instrument, fact }: Row) => `${instrument} ${fact?.name ?? ""} ${fact?.product ?? ""}`.toLowerCase().includes(found);
  const watched = () =>
    [...wanted.values()]
      .map((one): Row => ({ instrument: one.instrument, fact: facts.get(one.instrument), wanted: one }))
      .filter((row) => (!exchange || row.instrument.startsWith(`${exchange}.`)) && (!expiry || row.fact?.expiry_day?.startsWith(expiry)) && fits(row));
  const listed = (contracts: Contract[]) => contracts.map((fact): Row => ({ instrument: fact.instrument, fact, wanted: wanted.get(fact.instrument) })).filter(fits);
  const shared = { selected, onOpen, health };
  return (
    <Panel
      title={say("contracts")}
      className={className}
      actions={
        <Segments
          label={say("contracts")}
          value={view}
          onChange={setView}
          options={[
            { value: "watched", label: say("watched"), note: coverage.data && whole(coverage.data.length) },
            { value: "listed", label: say("listed") },
          ]}
        />
      }
    >
      <div className="flex flex-wrap gap-1.5 border-b px-3 py-2">
        <Filter label={say("find")} value={text} onChange={setText} className="w-44! grow" />
        <Pick label={say("exchange")} value={exchange} onChange={setExchange} options={[{ value: "", label: say("anyExchange") }, ...EXCHANGES.map((one) => ({ value: one, label: one }))]} />
        {!isWatched && <Pick label={say("kind")} value={kind} onChange={setKind} options={KINDS.map((one) => ({ value: one, label: say(`kind.${one}`) }))} />}
        <Filter label={say("expiryHint")} value={expiry} onChange={setExpiry} className="w-36!" />
      </div>
      {isWatched ? (
        <Answer of={coverage} rows={10}>
          {() => <Contracts name="watched" rows={watched()} empty={say(wanted.size ? "noMatch" : "nothingWanted")} {...shared} />}
        </Answer>
      ) : (
        <Answer of={listing} rows={10}>
          {({ rows, isCut }) => (
            <>
              {isCut && <p className="border-b px-3 py-1.5 text-2xs text-warn">{say("listCut", { count: whole(rows.length) })}</p>}
              <Contracts name="listed" rows={listed(rows)} empty={say("noMatch")} {...shared} />
            </>
          )}
        </Answer>
      )}
    </Panel>
  );
}

function Contracts({ name, rows, empty, health, selected, onOpen }: { name: string; rows: Row[]; empty: string; health: Health; selected: string; onOpen: (instrument: string) => void }) {
  const say = useWords(MARKET);
  const board = useBoard();
  const [order] = useUrlState(`${name}-sort`);
  const isLive = /last|change|percent|volume|interest/.test(order);
  const beat = useNow(SORT_AGAIN_MS);
  // sorted by what changes all the time, the rows are sorted anew every other second, not with each tick
  const key = rows.map((row) => row.instrument).join();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- as long as they are the same contracts
  const sortable = useMemo(() => [...rows], [key, rows.length && rows[0]!.wanted, isLive && beat]);
  const of = (row: Row) => board.rows.get(row.instrument);
  const low = Number.NEGATIVE_INFINITY;
  const columns: Column<Row>[] = [
    {
      key: "instrument",
      title: say("contract"),
      width: "128px",
      cell: (row) => (
        <button type="button" title={row.instrument} className="figure max-w-full truncate font-medium hover:text-accent">
          {row.instrument}
        </button>
      ),
      sort: (row) => row.instrument,
    },
    { key: "name", title: say("name"), from: "lg", cell: (row) => <span title={row.fact?.name} className="text-soft">{row.fact?.name ?? ""}</span>, sort: (row) => row.fact?.name ?? "" },
    { key: "last", title: say("last"), right: true, width: "88px", cell: (row) => <Live of={row.instrument} paint={paintLast} digits={digits(row)} />, sort: (row) => -(of(row)?.last_price ?? low) },
    {
      key: "change",
      title: say("change"),
      right: true,
      width: "76px",
      from: "sm",
      cell: (row) => <Live of={row.instrument} paint={paintChange} digits={digits(row)} />,
      sort: (row) => -(changed(of(row))?.change ?? low),
    },
    { key: "percent", title: "%", right: true, width: "72px", cell: (row) => <Live of={row.instrument} paint={paintPercent} />, sort: (row) => -(changed(of(row))?.percent ?? low) },
    { key: "volume", title: say("volume"), right: true, width: "88px", from: "sm", cell: (row) => <Live of={row.instrument} paint={paintVolume} />, sort: (row) => -(of(row)?.volume ?? low) },
    { key: "interest", title: say("interest"), right: true, width: "92px", from: "md", cell: (row) => <Live of={row.instrument} paint={paintInterest} />, sort: (row) => -(of(row)?.open_interest ?? low) },
    { key: "spark", title: say("spark"), right: true, width: "92px", from: "md", cell: (row) => <Sparkline of={row.instrument} /> },
    { key: "expiry", title: say("expiry"), right: true, width: "84px", from: "xl", cell: (row) => row.fact?.expiry_day ?? "–", sort: (row) => row.fact?.expiry_day ?? "" },
    { key: "state", title: say("state"), width: "104px", from: "lg", cell: (row) => <Wanted row={row} health={health} />, sort: (row) => (health.alarms.has(row.instrument) ? "" : (row.wanted?.state ?? "z")) },
  ];
  return <Table name={name} label={say("contracts")} columns={columns} rows={sortable} rowKey={(row) => row.instrument} onOpen={(row) => onOpen(row.instrument)} selected={selected} empty={empty} height="max(320px, calc(100dvh - 320px))" />;
}

function digits(row: Row): number {
  return digitsOf(row.fact?.price_tick);
}

function changed(tick: Parameters<typeof changeOf>[0] | undefined) {
  return tick && changeOf(tick);
}

function Wanted({ row, health }: { row: Row; health: Health }) {
  const say = useWords(MARKET);
  const alarm = health.alarms.get(row.instrument);
  if (alarm) return <State health="bad">{say(`verdict.${alarm.verdict}` as "verdict.stalled")}</State>;
  if (!row.wanted) return <span className="text-faint">{say("notWanted")}</span>;
  return <State health={DOTS[row.wanted.state]}>{say(`state.${row.wanted.state}`)}</State>;
}
