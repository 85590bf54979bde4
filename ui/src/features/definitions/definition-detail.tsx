"use client";

import { useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Fact, Facts, Panel } from "@/components/ui/panel";
import { toast } from "@/components/ui/toast";
import { useMay } from "@/features/session/session";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import { remove, type Service } from "./definition";
import { EditDialog } from "./edit-dialog";
import { DEFINITIONS } from "./words";

/** What a service is said to be. */
export function DefinitionDetail({ of, onDeleted }: { of: Service; onDeleted: () => void }) {
  const say = useWords(DEFINITIONS);
  const cache = useQueryClient();
  const mayWrite = useMay("operator");
  const [open, setOpen] = useState<"edit" | "delete" | "">("");
  const [deleting, setDeleting] = useState(0);
  const close = () => setOpen("");
  const refresh = () => cache.invalidateQueries({ queryKey: ["services"] });
  const { name } = of;
  return (
    <Panel
      title={name}
      actions={
        mayWrite && (
          <>
            <Button onClick={() => setOpen("edit")}>{say("edit")}</Button>
            <Button
              kind="danger"
              disabled={of.instances > 0}
              title={of.instances > 0 ? say("deleteRunning") : undefined}
              onClick={() => {
                setDeleting(of.revision);
                setOpen("delete");
              }}
            >
              {say("delete")}
            </Button>
          </>
        )
      }
    >
      <Facts>
        <Fact label={say("description")}><span translate="no">{of.description || "–"}</span></Fact>
        <Fact label={say("version")}>
          <span className="figure">{of.version || "–"}</span>
        </Fact>
        <Fact label={say("revision")}>
          <span className="figure">{of.revision}</span>
        </Fact>
        <Fact label={say("instances")}>
          <span className="figure">{of.instances}</span>{" "}
          <Link href={to("/service", { name })} className="ml-2 text-accent hover:underline">
            {say("open")}
          </Link>
        </Fact>
        <Fact label={say("methods")}>
          {of.methods.length ? (
            <ul className="figure grid grid-cols-[repeat(auto-fill,minmax(160px,1fr))] gap-x-4 gap-y-0.5">
              {of.methods.map((method) => (
                <li key={method}>{method}</li>
              ))}
            </ul>
          ) : (
            <span className="text-faint">{say("noMethods")}</span>
          )}
        </Fact>
      </Facts>
      {of.instances > 0 && <p className="border-t px-3 py-2 text-xs text-faint">{say("running")}</p>}
      {open === "edit" && <EditDialog name={name} onDone={() => void refresh()} onClose={close} />}
      {open === "delete" && (
        <Confirm
          title={say("deleteTitle", { name })}
          action={say("delete")}
          word={name}
          danger
          onConfirm={async () => {
            await remove(name, deleting);
            toast(say("deleted", { name }));
            await refresh();
            onDeleted();
          }}
          onClose={close}
        >
          <p>{say("deleteText")}</p>
        </Confirm>
      )}
    </Panel>
  );
}
