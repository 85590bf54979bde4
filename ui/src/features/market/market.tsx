"use client";

import { useCallback, useMemo, useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Figure, Figures, PageHead } from "@/components/ui/panel";
import { useFeeds } from "@/features/overview/feeds-panel";
import { useMay } from "@/features/session/session";
import { whole } from "@/lib/format";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { useCoverage, useFacts, useHealth } from "./asked";
import { Quotes } from "./board";
import { ContractList } from "./contract-list";
import { CoverageMap } from "./coverage-map";
import { Feeds } from "./feeds";
import { Findings } from "./findings";
import { Instrument } from "./instrument";
import { useTickPage } from "./tick-list";
import { SubscribeDialog, Wishes } from "./wishes";
import { MARKET } from "./words";

/** Market data: which contracts tick and which should, what each of them does, and who brings it. */
export function Market() {
  const say = useWords(MARKET);
  const mayAct = useMay("trader");
  const [isAsking, setAsking] = useState(false);
  const [instrument, setInstrument] = useUrlState("instrument");
  const [before, setBefore] = useTickPage();
  const open = useCallback(
    (next: string) => {
      if (before) setBefore("");
      setInstrument(next);
    },
    [before, setBefore, setInstrument],
  );
  const coverage = useCoverage();
  const health = useHealth();
  const facts = useFacts();
  const feeds = useFeeds();
  const wanted = useMemo(() => coverage.data?.find((one) => one.instrument === instrument), [coverage.data, instrument]);
  return (
    <Quotes>
      <PageHead
        title={say("title")}
        note={say("note")}
        actions={
          <>
            <CopyCommand parts={["aegis", "feeds"]} />
            {mayAct && <Button onClick={() => setAsking(true)}>{say("subscribeMore")}</Button>}
          </>
        }
      />
      <Summary feeds={feeds} health={health} />
      <CoverageMap coverage={coverage} health={health} selected={instrument} onOpen={open} />
      <div className={instrument ? "grid grid-cols-[minmax(0,1fr)] items-start gap-3 xl:grid-cols-[minmax(0,1fr)_minmax(0,500px)]" : "grid grid-cols-[minmax(0,1fr)] gap-3"}>
        <ContractList coverage={coverage} health={health} facts={facts} selected={instrument} onOpen={open} className={instrument ? "max-xl:order-2" : ""} />
        {instrument && <Instrument key={instrument} instrument={instrument} fact={facts.get(instrument)} wanted={wanted} health={health} onClose={() => open("")} />}
      </div>
      <Feeds feeds={feeds} />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-2">
        <Findings health={health} onOpen={open} />
        <Wishes />
      </div>
      {isAsking && <SubscribeDialog onClose={() => setAsking(false)} />}
    </Quotes>
  );
}

const LEVELS = { healthy: "plain", degraded: "warn", critical: "bad", unknown: "warn" } as const;

function Summary({ feeds, health }: { feeds: ReturnType<typeof useFeeds>; health: ReturnType<typeof useHealth> }) {
  const say = useWords(MARKET);
  const publishing = feeds.filter((one) => one.role === "active");
  const sum = (of: (one: (typeof feeds)[number]) => number) => publishing.reduce((all, one) => all + of(one), 0);
  const rates = publishing.map((one) => one.rate).filter((one) => one !== null);
  const { level, cases } = health;
  const lost = feeds.reduce((all, one) => all + one.lost, 0);
  return (
    <Figures>
      <Figure label={say("health")} value={level ? say(`level.${level}`) : "–"} tone={level ? LEVELS[level] : "soft"} note={health.feeds.join(", ") || undefined} />
      <Figure label={say("rate")} value={rates.length ? whole(sum((one) => one.rate ?? 0)) : "–"} note={say("perSecond")} />
      <Figure label={say("ticking")} value={whole(sum((one) => one.ticking))} note={say("of", { all: whole(sum((one) => one.subscribed)) })} />
      <Figure label={say("listedBy")} value={whole(sum((one) => one.instruments))} note={say("contractsNote")} />
      <Figure label={say("alarms")} value={level ? whole(cases) : "–"} tone={cases ? "bad" : "soft"} />
      <Figure label={say("lostTicks")} value={whole(lost)} tone={lost ? "bad" : "soft"} note={say("sinceStart")} />
    </Figures>
  );
}
