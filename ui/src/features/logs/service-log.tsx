"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useMemo } from "react";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { useMay } from "@/features/session/session";
import { answered, api } from "@/lib/api/client";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import { linesFound } from "./line";
import { Tail } from "./tail";
import { LOGS } from "./words";

const AGAIN_MS = 5_000;
const MOST = 50;

/** What the instances of a service said last, for those who may look. */
export function ServiceLog({ service }: { service: string }) {
  return useMay("operator") ? <Latest service={service} /> : null;
}

function Latest({ service }: { service: string }) {
  const say = useWords(LOGS);
  const found = useQuery({
    queryKey: ["logs", service, MOST],
    queryFn: () => answered(api.GET("/api/logs", { params: { query: { service, limit: MOST } } })),
    refetchInterval: AGAIN_MS,
  });
  const lines = useMemo(() => found.data && linesFound(found.data), [found.data]);
  return (
    <Panel
      title={say("title")}
      note={lines && say("found", { count: lines.length })}
      actions={
        <Link href={to("/logs", { service })} className="text-xs text-accent hover:underline">
          {say("search")}
        </Link>
      }
    >
      <Answer of={{ ...found, data: lines }}>{(shown) => (shown.length ? <Tail lines={shown} label={say("table")} height="h-64" /> : <Empty>{say("noneFound")}</Empty>)}</Answer>
    </Panel>
  );
}
