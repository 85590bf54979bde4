"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";
import { State } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Fact, Facts, Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { instanceAt } from "@/features/instances/fleet-table";
import { STATUS } from "@/features/instances/words";
import { useMay } from "@/features/session/session";
import { answered, api, type Lease } from "@/lib/api/client";
import { milliseconds } from "@/lib/format";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { EpochStrip, EpochTable } from "./epochs";
import { HandoverDialog } from "./handover-dialog";
import { KEY_HEALTH } from "./health";
import { LEASES } from "./words";

/** A key: who holds it, its epochs, and giving it to another instance. */
export function KeyDetail({ lease }: { lease: Lease }) {
  const say = useWords(LEASES);
  const sayStatus = useWords(STATUS);
  const { moment } = useTimes();
  const mayAct = useMay("operator");
  const [isGiving, setGiving] = useState(false);
  const { service, key, holder } = lease;
  const detail = useQuery({
    queryKey: ["lease", service, key, lease.sequence],
    queryFn: () => answered(api.GET("/api/leases/{service}/{key}", { params: { path: { service, key } } })),
    placeholderData: keepPreviousData,
  });
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <Panel
        title={`${service} / ${key}`}
        actions={
          <>
            <CopyCommand parts={["aegis", "handover", service, key]} />
            {mayAct && (
              <Button icon="handover" onClick={() => setGiving(true)}>
                {say("handOver")}
              </Button>
            )}
          </>
        }
      >
        <Facts>
          <Fact label={say("state")}>
            <State health={KEY_HEALTH[lease.state]}>{sayStatus(lease.state)}</State>
          </Fact>
          <Fact label={say("holder")}>
            {holder ? (
              <Link href={instanceAt({ service, instance: holder })} className="font-medium hover:text-accent">
                {holder}
              </Link>
            ) : (
              <span className="text-bad">{say("nobody")}</span>
            )}
          </Fact>
          <Fact label={say("epoch")}>
            <span className="figure">{lease.epoch ?? "–"}</span>
          </Fact>
          <Fact label={say(holder ? "since" : "nobodySince")}>
            <span className="figure">{moment(lease.since)}</span>
          </Fact>
          <Fact label={say("gap")}>
            <span className="figure">{milliseconds(lease.gap_ms)}</span>
          </Fact>
          <Fact label={say("takers")}>{detail.data?.takers.join(", ") || say("noTakers")}</Fact>
        </Facts>
      </Panel>
      <Panel title={say("timeline")} note={detail.data && say("timelineNote", { count: detail.data.epochs.length })}>
        <Answer of={detail}>
          {({ epochs }) => (
            <>
              <EpochStrip epochs={epochs} />
              <EpochTable epochs={epochs} isLost={lease.state === "LOST"} />
            </>
          )}
        </Answer>
      </Panel>
      {isGiving && <HandoverDialog lease={lease} takers={detail.data?.takers ?? []} onClose={() => setGiving(false)} />}
    </div>
  );
}
