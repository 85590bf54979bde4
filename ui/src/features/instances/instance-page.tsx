"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Fact, Facts, PageHead, Panel } from "@/components/ui/panel";
import { Empty, Loading } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { LeaseTable } from "@/features/leases/lease-table";
import { LOGS } from "@/features/logs/words";
import { InstanceHistory } from "@/features/metrics/history";
import { useMay } from "@/features/session/session";
import { useChanges } from "@/features/shell/changes";
import { answered, api, type Lease, type Schemas } from "@/lib/api/client";
import { useRows, useTopic } from "@/lib/live/hooks";
import { duration, useNow, useTimes } from "@/lib/time";
import { to, useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { DrainDialog, MaintenanceDialog } from "./actions";
import { type FleetRow, useFleet } from "./fleet";
import { InstanceStatus } from "./status";
import { INSTANCES } from "./words";

const HEARTBEAT_MS = 2_000;

/** One instance: what it is, the keys that it holds, its configuration; drain and maintenance. */
export function InstancePage() {
  const say = useWords(INSTANCES);
  const [service] = useUrlState("service");
  const [instance] = useUrlState("instance");
  const { fleet, isWhole } = useFleet();
  const row = fleet.find((one) => one.service === service && one.instance === instance);
  if (!isWhole) return <Loading rows={8} />;
  if (!row) {
    return (
      <>
        <PageHead title={instance || say("instance")} actions={service && instance && <LogLink service={service} instance={instance} />} />
        <Panel title={say("facts")}>
          <Empty>{say("notAlive", { service, instance })}</Empty>
        </Panel>
        {service && instance && <InstanceHistory service={service} instance={instance} />}
      </>
    );
  }
  return <Shown row={row} />;
}

function Shown({ row }: { row: FleetRow }) {
  const say = useWords(INSTANCES);
  const { rows: leases } = useRows<Lease>("leases");
  const held = leases.filter((one) => one.service === row.service && one.holder === row.instance);
  return (
    <>
      <PageHead
        title={row.instance}
        note={
          <>
            <InstanceStatus of={row.shown} />
            <Link href={to("/service", { name: row.service })} className="text-soft hover:text-accent">
              {row.service}
            </Link>
          </>
        }
        actions={<Actions row={row} held={held.length} />}
      />
      {row.lostAt && (
        <p role="alert" className="rounded-md border border-bad/50 bg-bad/10 px-3 py-2 text-xs text-bad">
          {say("goneWhile")}
        </p>
      )}
      {(row.shown === "DRAINING" || row.maintenance) && (
        <p className="flex flex-wrap gap-x-3 rounded-md border border-warn/50 bg-warn/10 px-3 py-2 text-xs text-warn">
          {say(row.maintenance ? "inMaintenance" : "drainedForGood")}
          <LeftToGive id={row.id} keys={held.length} />
        </p>
      )}
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-2">
        <FactsPanel row={row} />
        <Panel title={say("heldKeys")} note={held.length}>
          <LeaseTable name="held" rows={held} without="holder" empty={say("noKeys")} height="340px" />
        </Panel>
      </div>
      <InstanceHistory service={row.service} instance={row.instance} />
      <Configuration of={row.configuration} />
    </>
  );
}

/** What is not given to others, or not finished yet; it goes on as it happens. */
function LeftToGive({ id, keys }: { id: string; keys: number }) {
  const say = useWords(INSTANCES);
  const sample = useTopic<Schemas["Sample"]>("metrics").rows.get(id);
  if (!sample) return null;
  return <span data-testid="left">{keys || sample.running ? say("leftAtWork", { keys, calls: sample.running }) : say("nothingLeft")}</span>;
}

function Actions({ row, held }: { row: FleetRow; held: number }) {
  const say = useWords(INSTANCES);
  const mayAct = useMay("operator");
  const { forget } = useChanges();
  const [open, setOpen] = useState<"drain" | "maintenance" | "">("");
  if (row.lostAt) {
    return (
      <>
        <LogLink service={row.service} instance={row.instance} />
        <Button onClick={() => forget(row.id)}>{say("forget")}</Button>
      </>
    );
  }
  const close = () => setOpen("");
  const isDrained = row.shown === "DRAINING" || row.maintenance;
  return (
    <>
      <CopyCommand parts={["aegis", "drain", row.instance, "--service", row.service]} />
      <LogLink service={row.service} instance={row.instance} />
      {mayAct && (row.maintenance || !isDrained) && <Button onClick={() => setOpen("maintenance")}>{say(row.maintenance ? "release" : "maintain")}</Button>}
      {mayAct && !isDrained && (
        <Button kind="danger" onClick={() => setOpen("drain")}>
          {say("drain")}
        </Button>
      )}
      {open === "drain" && <DrainDialog row={row} held={held} onClose={close} />}
      {open === "maintenance" && <MaintenanceDialog row={row} onClose={close} />}
    </>
  );
}

/** To what it has said, for those who may look; of one that is gone it is kept for an hour. */
function LogLink(of: { service: string; instance: string }) {
  const say = useWords(LOGS);
  if (!useMay("operator")) return null;
  return (
    <Link href={to("/logs", { service: of.service, instance: of.instance })} className="inline-flex h-7 items-center rounded-sm border border-strong bg-raised px-2.5 text-xs hover:border-faint">
      {say("title")}
    </Link>
  );
}

function FactsPanel({ row }: { row: FleetRow }) {
  const say = useWords(INSTANCES);
  const { moment } = useTimes();
  const now = useNow();
  return (
    <Panel title={say("facts")}>
      <Facts>
        <Fact label={say("started")}>
          <span className="figure">{moment(row.started_at)}</span>
        </Fact>
        <Fact label={say("up")}>
          <span className="figure">{now && !row.lostAt ? duration(now - Date.parse(row.started_at)) : "–"}</span>
        </Fact>
        {!row.lostAt && (
          <Fact label={say("heartbeat")}>
            <HeartbeatAge service={row.service} instance={row.instance} />
          </Fact>
        )}
        <Fact label={say("version")}>
          <span className="figure">{row.version}</span>
        </Fact>
        <Fact label={say("zone")}>{row.zone}</Fact>
        <Fact label={say("weight")}>
          <span className="figure">{row.weight}</span>
        </Fact>
        <Fact label={say("tags")}>{row.tags.join(", ") || "–"}</Fact>
        <Fact label={say("incarnation")}>
          <span className="figure">{row.incarnation}</span>
        </Fact>
        <Fact label={say("endpoints")}>
          <span className="figure">{row.endpoints.join(", ") || "–"}</span>
        </Fact>
        <Fact label={say("metricsPort")}>
          <span className="figure">{row.metrics_port ?? "–"}</span>
        </Fact>
      </Facts>
    </Panel>
  );
}

/** How long ago it was heard last, as the management says; nothing where that cannot be asked. */
function HeartbeatAge({ service, instance }: { service: string; instance: string }) {
  const say = useWords(INSTANCES);
  const asked = useQuery({
    queryKey: ["instance", service, instance],
    queryFn: () => answered(api.GET("/api/instances/{service}/{instance}", { params: { path: { service, instance } } })),
    refetchInterval: HEARTBEAT_MS,
  });
  return (
    <span className="figure" data-testid="heartbeat">
      {asked.data && !asked.error ? say("ago", { age: duration(asked.data.heartbeat_age_s * 1_000) }) : "–"}
    </span>
  );
}

function Configuration({ of }: { of: FleetRow["configuration"] }) {
  const say = useWords(INSTANCES);
  const rows = Object.entries(of).map(([name, value]) => ({ name, value: typeof value === "string" ? value : JSON.stringify(value) }));
  const columns: Column<(typeof rows)[number]>[] = [
    { key: "name", title: say("setting"), width: "40%", cell: (row) => <span className="figure">{row.name}</span>, sort: (row) => row.name },
    {
      key: "value",
      title: say("value"),
      cell: (row) => (
        <span className="figure text-soft" title={row.value}>
          {row.value}
        </span>
      ),
    },
  ];
  return (
    <Panel title={say("configuration")} note={say("configurationNote")}>
      <Table name="configuration" label={say("configuration")} columns={columns} rows={rows} rowKey={(row) => row.name} empty={say("noConfiguration")} height="420px" />
    </Panel>
  );
}
