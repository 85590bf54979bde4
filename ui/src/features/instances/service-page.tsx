"use client";

import { useQuery } from "@tanstack/react-query";
import { PageHead, Panel } from "@/components/ui/panel";
import { Answer, Empty, Loading } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { LeaseTable } from "@/features/leases/lease-table";
import { ServiceHistory } from "@/features/metrics/history";
import { answered, api, type Lease, type Schemas } from "@/lib/api/client";
import { milliseconds, whole } from "@/lib/format";
import { useRows } from "@/lib/live/hooks";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { useFleet } from "./fleet";
import { FleetTable } from "./fleet-table";
import { INSTANCES } from "./words";

const AGAIN_MS = 5_000;

/** A service: its instances, its keys, and how its methods fare. */
export function ServicePage() {
  const say = useWords(INSTANCES);
  const [name] = useUrlState("name");
  const { fleet, isWhole } = useFleet();
  const { rows: leases } = useRows<Lease>("leases");
  const definition = useQuery({
    queryKey: ["service", name],
    queryFn: () => answered(api.GET("/api/services/{name}", { params: { path: { name } } })),
  });
  if (!isWhole) return <Loading rows={8} />;
  const instances = fleet.filter((one) => one.service === name);
  const keys = leases.filter((one) => one.service === name);
  if (!instances.length && definition.error) {
    return (
      <Panel title={say("service")}>
        <Empty>{say("noService", { service: name })}</Empty>
      </Panel>
    );
  }
  return (
    <>
      <PageHead title={name} note={definition.data?.description} />
      <Panel title={say("table")} note={instances.length}>
        <FleetTable name="instances" rows={instances} withService={false} height="420px" />
      </Panel>
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-2">
        <Panel title={say("leases")} note={keys.length}>
          <LeaseTable name="keys" rows={keys} without="service" height="420px" />
        </Panel>
        <MethodsPanel service={name} />
      </div>
      <ServiceHistory service={name} instances={instances.map((one) => one.instance)} />
    </>
  );
}

function MethodsPanel({ service }: { service: string }) {
  const say = useWords(INSTANCES);
  const methods = useQuery({
    queryKey: ["methods", service],
    queryFn: () => answered(api.GET("/api/services/{name}/methods", { params: { path: { name: service } } })),
    refetchInterval: AGAIN_MS,
  });
  const columns: Column<Schemas["MethodFigures"]>[] = [
    { key: "method", title: say("method"), cell: (row) => <span className="font-medium">{row.name}</span>, sort: (row) => row.name },
    { key: "requests", title: say("requests"), right: true, width: "96px", cell: (row) => whole(row.requests), sort: (row) => -row.requests },
    { key: "errors", title: say("errors"), right: true, width: "72px", cell: (row) => <span className={row.errors ? "text-bad" : "text-faint"}>{whole(row.errors)}</span>, sort: (row) => -row.errors },
    { key: "mean", title: say("mean"), right: true, width: "80px", cell: (row) => milliseconds(row.mean_ms), sort: (row) => -(row.mean_ms ?? 0) },
  ];
  return (
    <Panel title={say("methods")}>
      <Answer of={methods}>{(rows) => <Table name="methods" label={say("methods")} columns={columns} rows={rows} rowKey={(row) => row.subject} empty={say("noMethods")} height="420px" />}</Answer>
    </Panel>
  );
}
