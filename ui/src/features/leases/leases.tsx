"use client";

import { Filter, Segments } from "@/components/ui/field";
import { PageHead, Panel } from "@/components/ui/panel";
import { Empty, Loading } from "@/components/ui/states";
import type { Lease } from "@/lib/api/client";
import { useRows } from "@/lib/live/hooks";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { byUrgency } from "./health";
import { KeyDetail } from "./key-detail";
import { LeaseTable } from "./lease-table";
import { LEASES } from "./words";

export function Leases() {
  const say = useWords(LEASES);
  const { rows, isWhole } = useRows<Lease>("leases");
  const [service] = useUrlState("service");
  const [key] = useUrlState("key");
  const [text, setText] = useUrlState("filter");
  const [only, setOnly] = useUrlState("only", "all");
  const selected = rows.find((one) => one.service === service && one.key === key);
  const wanted = text.toLowerCase();
  const troubled = rows.filter((one) => one.state !== "ACTIVE");
  const shown = (only === "all" ? rows : troubled)
    .filter((one) => `${one.service}.${one.key}.${one.holder ?? ""}`.toLowerCase().includes(wanted))
    .sort(byUrgency);
  return (
    <>
      <PageHead title={say("title")} note={say("note")} />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 xl:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
        <Panel
          title={say("table")}
          className={key ? "max-xl:order-2" : ""}
          actions={
            <>
              <Filter label={say("filter")} value={text} onChange={setText} className="w-36! sm:w-52!" />
              <Segments
                label={say("state")}
                value={only}
                onChange={setOnly}
                options={[
                  { value: "all", label: say("all") },
                  { value: "troubled", label: say("troubled"), note: troubled.length },
                ]}
              />
            </>
          }
        >
          {isWhole ? <LeaseTable name="leases" rows={shown} selected={`${service}.${key}`} empty={rows.length ? say("noMatch") : say("none")} /> : <Loading />}
        </Panel>
        {selected ? (
          <KeyDetail key={`${service}.${key}`} lease={selected} />
        ) : (
          <Panel title={say("timeline")} className={key ? "" : "max-xl:hidden"}>
            {key && !isWhole ? <Loading /> : <Empty>{key ? say("noKey", { service, key }) : say("choose")}</Empty>}
          </Panel>
        )}
      </div>
    </>
  );
}
