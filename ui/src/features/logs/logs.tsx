"use client";

import Link from "next/link";
import { useMemo, useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Filter, Segments } from "@/components/ui/field";
import { PageHead, Panel } from "@/components/ui/panel";
import { Empty, Loading } from "@/components/ui/states";
import { useFleet } from "@/features/instances/fleet";
import { instanceAt } from "@/features/instances/fleet-table";
import { useMay } from "@/features/session/session";
import { useTopic } from "@/lib/live/hooks";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { type Level, LEVELS, type Line, linesOf, fits, type Shown } from "./line";
import { Search } from "./search";
import { Tail } from "./tail";
import { LOGS } from "./words";

/** The log of one instance, as it is written; or a search through those of all. */
export function Logs() {
  const say = useWords(LOGS);
  const mayLook = useMay("operator");
  const [service] = useUrlState("service");
  const [instance] = useUrlState("instance");
  return (
    <>
      <PageHead title={say("title")} note={say("note")} actions={mayLook && <Picker service={service} instance={instance} />} />
      {!mayLook ? (
        <Panel title={say("table")}>
          <Empty>{say("mayNot")}</Empty>
        </Panel>
      ) : service && instance ? (
        <Following key={`${service}.${instance}`} service={service} instance={instance} />
      ) : (
        <Search />
      )}
    </>
  );
}

function Picker({ service, instance }: { service: string; instance: string }) {
  const say = useWords(LOGS);
  const { fleet } = useFleet();
  const [, setService] = useUrlState("service");
  const [, setInstance] = useUrlState("instance");
  const chosen = service && instance ? `${service}.${instance}` : "";
  const names = fleet.map((one) => one.id).sort();
  return (
    <select
      aria-label={say("instance")}
      value={chosen}
      onChange={(event) => {
        const [service = "", instance = ""] = event.target.value.split(".");
        setService(service);
        setInstance(instance);
      }}
      className="h-7 max-w-60 rounded-sm border border-strong bg-field px-2 text-xs"
    >
      <option value="">{say("all")}</option>
      {chosen && !names.includes(chosen) && <option value={chosen}>{chosen}</option>}
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function Following({ service, instance }: { service: string; instance: string }) {
  const say = useWords(LOGS);
  const topic = useTopic<Line>(`logs.${service}.${instance}`);
  const { fleet, isWhole: isFleetWhole } = useFleet();
  const [text, setText] = useUrlState("filter");
  const [least, setLeast] = useUrlState("level", "debug");
  const [held, setHeld] = useState<Shown[] | null>(null);
  const coming = useMemo(() => linesOf(topic.rows), [topic]);
  const lines = held ?? coming;
  const shown = lines.filter((line) => fits(line, least as Level, text));
  const isAlive = fleet.some((one) => one.service === service && one.instance === instance && !one.lostAt);
  return (
    <>
      {isFleetWhole && !isAlive && (
        <p role="alert" className="rounded-md border border-warn/60 bg-warn/10 px-3 py-2 text-xs text-warn">
          {say("gone", { instance })}
        </p>
      )}
      <Panel
        title={instance}
        note={
          <>
            <span className="figure mr-3">{say("count", { shown: shown.length, all: lines.length })}</span>
            <Link href={instanceAt({ service, instance })} className="text-accent hover:underline">
              {say("details")}
            </Link>
          </>
        }
        actions={
          <>
            <Filter label={say("filter")} value={text} onChange={setText} className="w-36! sm:w-52!" />
            <Segments label={say("level")} value={least as Level} onChange={setLeast} options={LEVELS.map((value) => ({ value, label: say(`level.${value}`) }))} />
            <Button aria-pressed={held !== null} onClick={() => setHeld(held ? null : coming)}>
              {say(held ? "goOn" : "pause")}
            </Button>
            <CopyCommand parts={["aegis", "logs", instance, "-f"]} />
          </>
        }
      >
        {!topic.isWhole ? <Loading rows={8} /> : shown.length ? <Tail lines={shown} label={say("table")} /> : <Empty>{say(lines.length ? "noMatch" : "empty")}</Empty>}
      </Panel>
    </>
  );
}
