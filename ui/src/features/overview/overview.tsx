"use client";

import { useMemo } from "react";
import { Filter, Segments } from "@/components/ui/field";
import { Figure, Figures, PageHead, Panel } from "@/components/ui/panel";
import { Loading } from "@/components/ui/states";
import { useDefinitions } from "@/features/definitions/use-definitions";
import { needsALook, useFleet } from "@/features/instances/fleet";
import { FleetTable } from "@/features/instances/fleet-table";
import { INSTANCES } from "@/features/instances/words";
import type { Lease } from "@/lib/api/client";
import { whole } from "@/lib/format";
import { useRows } from "@/lib/live/hooks";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { ChangesPanel } from "./changes-panel";
import { FeedsPanel, useFeeds } from "./feeds-panel";
import { absentOf, FleetMap } from "./fleet-map";
import { OVERVIEW } from "./words";

export function Overview() {
  const say = useWords(OVERVIEW);
  const { fleet, isWhole } = useFleet();
  const { rows: leases } = useRows<Lease>("leases");
  const feeds = useFeeds();
  const { data: defined } = useDefinitions();
  const absent = useMemo(() => (isWhole && defined ? absentOf(defined, fleet) : []), [isWhole, defined, fleet]);
  const troubled = fleet.filter(needsALook).length;
  const served = leases.filter((one) => one.state === "ACTIVE").length;
  const alive = fleet.filter((one) => one.shown !== "LOST").length;
  const rates = feeds.map((one) => one.rate).filter((rate) => rate !== null);
  const publishing = feeds.filter((one) => one.role === "active");
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return (
    <>
      <PageHead title={say("title")} />
      <Figures>
        <Figure label={say("instances")} value={isWhole ? whole(alive) : "–"} note={say("alive")} />
        <Figure label={say("attention")} value={isWhole ? whole(troubled) : "–"} tone={troubled ? "bad" : "soft"} note={isWhole && defined && !troubled && !absent.length ? say("allWell") : undefined} />
        <Figure label={say("services")} value={isWhole ? whole(new Set(fleet.map((one) => one.service)).size) : "–"} tone={absent.length ? "bad" : "plain"} note={absent.length ? say("absent", { count: absent.length }) : undefined} />
        <Figure label={say("keys")} value={whole(served)} note={say("of", { all: leases.length })} tone={served < leases.length ? "warn" : "plain"} />
        <Figure label={say("ticks")} value={rates.length ? whole(sum(rates)) : "–"} note={say("perSecond")} />
        <Figure label={say("subscribed")} value={whole(sum(publishing.map((one) => one.ticking)))} note={say("of", { all: whole(sum(publishing.map((one) => one.subscribed))) })} />
      </Figures>
      <div className="grid grid-cols-[minmax(0,1fr)] gap-3 min-[1720px]:grid-cols-[minmax(0,1fr)_380px]">
        <InstancesPanel />
        <div className="grid grid-cols-[minmax(0,1fr)] content-start items-start gap-3 xl:max-[1720px]:grid-cols-[minmax(0,5fr)_minmax(0,7fr)_minmax(0,5fr)]">
          <Panel title={say("fleet")} note={say("fleetNote")}>
            {isWhole ? <FleetMap fleet={fleet} absent={absent} /> : <Loading />}
          </Panel>
          <FeedsPanel feeds={feeds} />
          <ChangesPanel />
        </div>
      </div>
    </>
  );
}

function InstancesPanel() {
  const say = useWords(OVERVIEW);
  const sayInstances = useWords(INSTANCES);
  const { fleet, isWhole } = useFleet();
  const [text, setText] = useUrlState("filter");
  const [only, setOnly] = useUrlState("only", "all");
  const wanted = text.toLowerCase();
  const rows = fleet.filter((row) => (only === "all" || needsALook(row)) && row.id.toLowerCase().includes(wanted));
  const isNarrowed = rows.length < fleet.length;
  return (
    <Panel
      title={sayInstances("table")}
      note={isNarrowed ? say("of", { all: whole(fleet.length) }) : undefined}
      className="self-start"
      actions={
        <>
          <Filter label={sayInstances("filter")} value={text} onChange={setText} className="w-40! sm:w-52!" />
          <Segments
            label={sayInstances("status")}
            value={only}
            onChange={setOnly}
            options={[
              { value: "all", label: say("all") },
              { value: "attention", label: say("onlyAttention"), note: fleet.filter(needsALook).length },
            ]}
          />
        </>
      }
    >
      {isWhole ? <FleetTable name="instances" rows={rows} empty={sayInstances("noMatch")} /> : <Loading rows={8} />}
    </Panel>
  );
}
