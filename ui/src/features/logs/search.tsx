"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { Filter } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { useFleet } from "@/features/instances/fleet";
import { answered, api } from "@/lib/api/client";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { linesFound } from "./line";
import { Tail } from "./tail";
import { LOGS } from "./words";

const AGAIN_MS = 5_000;
const TYPED_MS = 250;
const MOST = 500;
const LEVELS = ["debug", "info", "warning", "error", "critical"] as const;
type Asked = "" | (typeof LEVELS)[number];

/** What all processes said in the last hour, by service, level and text. */
export function Search() {
  const say = useWords(LOGS);
  const [service, setService] = useUrlState("service");
  const [asked, setLevel] = useUrlState("of");
  const [typed, setText] = useUrlState("text");
  const text = useSettled(typed);
  const level: Asked = LEVELS.find((one) => one === asked) ?? "";
  const { fleet } = useFleet();
  const services = useMemo(() => [...new Set([service, ...fleet.map((one) => one.service)].filter(Boolean))].sort(), [fleet, service]);
  const found = useQuery({
    queryKey: ["logs", service, level, text],
    queryFn: () => answered(api.GET("/api/logs", { params: { query: { service, level, text, limit: MOST } } })),
    refetchInterval: AGAIN_MS,
    placeholderData: keepPreviousData,
  });
  const lines = useMemo(() => found.data && linesFound(found.data), [found.data]);
  return (
    <Panel
      title={say("table")}
      note={lines && say("found", { count: lines.length })}
      actions={
        <>
          <Filter label={say("search")} value={typed} onChange={setText} className="w-44! sm:w-60!" />
          <Pick label={say("service")} value={service} onChange={setService} any={say("anyService")} options={services.map((value) => ({ value, label: value }))} />
          <Pick label={say("ofLevel")} value={level} onChange={setLevel} any={say("anyLevel")} options={LEVELS.map((value) => ({ value, label: say(`level.${value}`) }))} />
        </>
      }
    >
      <Answer of={{ ...found, data: lines }} rows={10}>
        {(shown) => (shown.length ? <Tail lines={shown} label={say("table")} /> : <Empty>{say("noneFound")}</Empty>)}
      </Answer>
    </Panel>
  );
}

interface PickProps {
  label: string;
  value: string;
  any: string;
  options: { value: string; label: string }[];
  onChange: (value: string) => void;
}

function Pick({ label, value, any, options, onChange }: PickProps) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChange(event.target.value)} className="h-7 max-w-40 rounded-sm border border-strong bg-field px-2 text-xs">
      <option value="">{any}</option>
      {options.map((one) => (
        <option key={one.value} value={one.value}>
          {one.label}
        </option>
      ))}
    </select>
  );
}

/** What is typed, once nothing has been typed for a moment. */
function useSettled(typed: string): string {
  const [settled, setSettled] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(typed), TYPED_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return settled;
}
