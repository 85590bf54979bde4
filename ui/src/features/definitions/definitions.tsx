"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Filter } from "@/components/ui/field";
import { PageHead, Panel } from "@/components/ui/panel";
import { RowName } from "@/components/ui/row-name";
import { Answer, Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { toast } from "@/components/ui/toast";
import { useMay } from "@/features/session/session";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { exported, type Service } from "./definition";
import { DefinitionDetail } from "./definition-detail";
import { EditDialog } from "./edit-dialog";
import { ImportDialog } from "./import-dialog";
import { useDefinitions } from "./use-definitions";
import { DEFINITIONS } from "./words";

/** All definitions; of one what it says. Operators write them. */
export function Definitions() {
  const say = useWords(DEFINITIONS);
  const services = useDefinitions();
  const [name, choose] = useUrlState("name");
  const [text, setText] = useUrlState("filter");
  const selected = services.data?.find((one) => one.name === name);
  const shown = (services.data ?? []).filter((one) => `${one.name} ${one.description} ${one.methods.join(" ")}`.toLowerCase().includes(text.toLowerCase()));
  return (
    <>
      <PageHead title={say("title")} note={say("note")} actions={<Actions services={services.data ?? []} onCreated={choose} />} />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Panel title={say("table")} note={services.data?.length} className={name ? "max-xl:order-2" : ""} actions={<Filter label={say("filter")} value={text} onChange={setText} className="w-36! sm:w-52!" />}>
          <Answer of={services}>
            {(all) => <DefinitionTable rows={shown} selected={name} onOpen={(row) => choose(row.name === name ? "" : row.name)} empty={say(all.length ? "noMatch" : "none")} />}
          </Answer>
        </Panel>
        {selected ? (
          <DefinitionDetail of={selected} onDeleted={() => choose("")} />
        ) : (
          <Panel title={name || say("chosen")} className={name ? "" : "max-xl:hidden"}>
            <Empty>{name && services.data ? say("noService", { name }) : say("choose")}</Empty>
          </Panel>
        )}
      </div>
    </>
  );
}

function DefinitionTable({ rows, selected, onOpen, empty }: { rows: Service[]; selected: string; onOpen: (row: Service) => void; empty: string }) {
  const say = useWords(DEFINITIONS);
  const columns: Column<Service>[] = [
    { key: "name", title: say("name"), width: "150px", cell: (row) => <RowName of={row.name} />, sort: (row) => row.name },
    { key: "description", title: say("description"), from: "md", cell: (row) => <span translate="no" className="text-soft" title={row.description}>{row.description || "–"}</span> },
    { key: "version", title: say("version"), width: "84px", from: "sm", cell: (row) => <span className="figure text-soft" title={row.version}>{row.version || "–"}</span>, sort: (row) => row.version },
    { key: "methods", title: say("methods"), right: true, width: "80px", cell: (row) => row.methods.length, sort: (row) => row.methods.length },
    { key: "instances", title: say("instances"), right: true, width: "64px", cell: (row) => row.instances || <span className="text-faint">0</span>, sort: (row) => row.instances },
    { key: "revision", title: say("revision"), right: true, width: "80px", from: "sm", cell: (row) => row.revision, sort: (row) => row.revision },
  ];
  return <Table name="definitions" label={say("table")} columns={columns} rows={rows} rowKey={(row) => row.name} selected={selected} onOpen={onOpen} empty={empty} />;
}

function Actions({ services, onCreated }: { services: Service[]; onCreated: (name: string) => void }) {
  const say = useWords(DEFINITIONS);
  const cache = useQueryClient();
  const mayWrite = useMay("operator");
  const [open, setOpen] = useState<"create" | "import" | "">("");
  const close = () => setOpen("");
  const refresh = () => cache.invalidateQueries({ queryKey: ["services"] });
  const download = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([exported(services)], { type: "application/json" }));
    link.download = "definitions.json";
    link.click();
    URL.revokeObjectURL(link.href);
    toast(say("exported", { count: services.length }));
  };
  return (
    <>
      <Button disabled={!services.length} onClick={download}>
        {say("export")}
      </Button>
      {mayWrite && (
        <>
          <Button onClick={() => setOpen("import")}>{say("import")}</Button>
          <Button kind="primary" onClick={() => setOpen("create")}>
            {say("create")}
          </Button>
        </>
      )}
      {open === "create" && (
        <EditDialog
          onDone={({ name }) => {
            void refresh();
            onCreated(name);
          }}
          onClose={close}
        />
      )}
      {open === "import" && <ImportDialog services={services} onDone={refresh} onClose={close} />}
    </>
  );
}
