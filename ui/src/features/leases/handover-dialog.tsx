"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { Choice } from "@/components/ui/field";
import { Answer } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { answered, api, type Lease, type Schemas } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import { milliseconds } from "@/lib/format";
import { useWords } from "@/lib/words";
import { LEASES } from "./words";

/** Give a key to another instance: first what that would do, then by typing the key. */
export function HandoverDialog({ lease, takers, onClose }: { lease: Lease; takers: string[]; onClose: () => void }) {
  const say = useWords(LEASES);
  const { service, key } = lease;
  const [target, setTarget] = useState("");
  /** Once it was previewed, only from that epoch. */
  const ask = (body: Schemas["HandoverRequest"], epoch?: number) =>
    answered(api.POST("/api/leases/{service}/{key}/handover", { params: { path: { service, key }, header: epoch === undefined ? {} : { "if-match": `"${epoch}"` } }, body }));
  const preview = useQuery({
    queryKey: ["handover", service, key, lease.sequence, target],
    queryFn: () => ask({ to: target, dry_run: true, confirm: "" }),
  });
  const handOver = async () => {
    const done = await ask({ to: target, dry_run: false, confirm: key }, preview.data!.epoch).catch((error: unknown) => {
      if (error instanceof Problem && error.code === "changed") void preview.refetch();
      throw error;
    });
    toast(say("done", { key, holder: done.holder ?? "", gap: milliseconds(done.gap_ms), epoch: done.epoch }));
  };
  const command = ["aegis", "handover", service, key, ...(target ? ["--to", target] : [])];
  return (
    <Confirm title={say("handOverTitle", { key: `${service} / ${key}` })} action={say("handOver")} word={key} ready={Boolean(preview.data?.giver)} onConfirm={handOver} onClose={onClose}>
      <Choice label={say("target")} value={target} onChange={(event) => setTarget(event.target.value)}>
        <option value="">{say("best")}</option>
        {takers.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </Choice>
      <section aria-label={say("preview")} className="rounded-sm border bg-ground p-3 text-xs">
        <Answer of={preview} rows={3}>
          {(told) => <Preview told={told} />}
        </Answer>
      </section>
      <div className="-my-1 flex">
        <CopyCommand parts={command} />
      </div>
    </Confirm>
  );
}

function Preview({ told }: { told: Schemas["Handover"] }) {
  const say = useWords(LEASES);
  if (told.giver === null) return <p>{say("already", { holder: told.holder ?? "" })}</p>;
  if (!told.holder && !told.takers.length) return <p className="text-warn">{say("cannot")}</p>;
  const holder = told.holder ?? say("bestOf", { takers: told.takers.join(", ") });
  return (
    <ol className="grid gap-1.5">
      <li>{say("ends", { epoch: told.epoch, holder: told.giver })}</li>
      <li className="text-text">{say("begins", { holder })}</li>
      <li>
        {say("expected")}: <span className="figure text-text">{told.gap_ms === null ? "" : milliseconds(told.gap_ms)}</span> <span className="text-faint">{say(told.gap_ms === null ? "unknownGap" : "medianGap")}</span>
      </li>
    </ol>
  );
}
