"use client";

import { useQuery } from "@tanstack/react-query";
import { PageHead, Panel } from "@/components/ui/panel";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { LeaseTable } from "@/features/leases/lease-table";
import { ServiceLog } from "@/features/logs/service-log";
import { ServiceHistory } from "@/features/metrics/history";
import { answered, api, type Lease } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import { useRows } from "@/lib/live/hooks";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { useFleet } from "./fleet";
import { FleetTable } from "./fleet-table";
import { MethodsPanel } from "./methods-panel";
import { INSTANCES } from "./words";

const NONE: string[] = [];

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
    const isNone = definition.error instanceof Problem && definition.error.code === "not_found";
    return (
      <>
        <PageHead title={name || say("service")} />
        <Panel title={say("service")}>{isNone ? <Empty>{say("noService", { service: name })}</Empty> : <Failed error={definition.error} onAgain={() => void definition.refetch()} />}</Panel>
      </>
    );
  }
  return (
    <>
      <PageHead title={name} note={definition.data && <span translate="no">{definition.data.description}</span>} />
      <Panel title={say("table")} note={instances.length}>
        <FleetTable name="instances" rows={instances} withService={false} height="420px" />
      </Panel>
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-2">
        <Panel title={say("leases")} note={keys.length}>
          <LeaseTable name="keys" rows={keys} without="service" height="420px" />
        </Panel>
        <MethodsPanel service={name} defined={definition.data?.methods ?? NONE} />
      </div>
      <ServiceLog service={name} />
      <ServiceHistory service={name} instances={instances.map((one) => one.instance)} />
    </>
  );
}
