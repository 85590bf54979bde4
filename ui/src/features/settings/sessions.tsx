"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Answer, useProblemWords } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { toast } from "@/components/ui/toast";
import { answered, api, type Schemas } from "@/lib/api/client";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { browserOf } from "./browser";
import { SETTINGS } from "./words";

type SessionOf = Schemas["SessionView"];

const AGAIN_MS = 30_000;

/** One's own sessions; all but the present one can be ended here. */
export function Sessions() {
  const say = useWords(SETTINGS);
  const inWords = useProblemWords();
  const cache = useQueryClient();
  const { moment } = useTimes();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => answered(api.GET("/api/auth/sessions")), refetchInterval: AGAIN_MS });
  const end = useMutation({
    mutationFn: async (ids: string[]) => {
      for (const session of ids) await answered(api.DELETE("/api/auth/sessions/{session}", { params: { path: { session } } }));
    },
    onSuccess: (_, ids) => toast(ids.length > 1 ? say("endedOthers", { count: ids.length }) : say("ended")),
    onError: (error) => toast(inWords(error), "bad"),
    onSettled: () => cache.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const others = (sessions.data ?? []).filter((one) => !one.current).map((one) => one.id);
  const columns: Column<SessionOf>[] = [
    { key: "agent", title: say("browser"), cell: (row) => <span title={row.agent}>{browserOf(row.agent)}</span>, sort: (row) => browserOf(row.agent) },
    { key: "address", title: say("address"), width: "132px", from: "sm", cell: (row) => <span className="figure text-soft" title={row.address}>{row.address}</span>, sort: (row) => row.address },
    { key: "began", title: say("began"), right: true, width: "152px", from: "md", cell: (row) => moment(row.created_at), sort: (row) => row.created_at },
    { key: "seen", title: say("seen"), right: true, width: "146px", cell: (row) => moment(row.seen_at), sort: (row) => row.seen_at },
    {
      key: "end",
      title: say("end"),
      width: "84px",
      cell: (row) =>
        row.current ? (
          <Badge tone="accent">{say("current")}</Badge>
        ) : (
          <Button kind="danger" className="h-6!" busy={end.isPending} aria-label={say("endLabel", { address: row.address })} onClick={() => end.mutate([row.id])}>
            {say("end")}
          </Button>
        ),
    },
  ];
  return (
    <Panel
      title={say("sessions")}
      note={say("sessionsNote")}
      actions={
        others.length > 1 && (
          <Button kind="danger" busy={end.isPending} onClick={() => end.mutate(others)}>
            {say("endOthers")}
          </Button>
        )
      }
    >
      <Answer of={sessions} rows={2}>
        {(rows) => <Table name="sessions" label={say("sessions")} columns={columns} rows={rows} rowKey={(row) => row.id} height="320px" />}
      </Answer>
    </Panel>
  );
}
