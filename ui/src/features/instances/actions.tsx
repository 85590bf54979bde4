"use client";

import { useState } from "react";
import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { answered, api } from "@/lib/api/client";
import { decimal } from "@/lib/format";
import { useWords } from "@/lib/words";
import type { FleetRow } from "./fleet";
import { INSTANCES } from "./words";

const SHORTEST_S = 1;
const LONGEST_S = 60;

/** Give all keys away. How many are left is told by the live leases while it goes on. */
export function DrainDialog({ row, held, onClose }: { row: FleetRow; held: number; onClose: () => void }) {
  const say = useWords(INSTANCES);
  const { service, instance } = row;
  const [deadline, setDeadline] = useState("30");
  const [begunWith, setBegunWith] = useState<number | null>(null);
  const seconds = Number(deadline);
  const isValid = seconds >= SHORTEST_S && seconds <= LONGEST_S;
  const drain = async () => {
    setBegunWith(held);
    const done = await answered(
      api.POST("/api/instances/{service}/{instance}/drain", {
        params: { path: { service, instance } },
        body: { confirm: instance, timeout_s: seconds },
      }),
    );
    toast(say("drained", { instance, seconds: decimal(done.seconds, 1), given: done.keys.length, left: done.left.length }), done.left.length ? "bad" : "done");
  };
  return (
    <Confirm title={say("drainTitle", { instance })} action={say("drain")} word={instance} danger ready={isValid} onConfirm={drain} onClose={onClose}>
      <p>{say("drainText")}</p>
      <p className="text-xs">
        {begunWith === null ? `${say("drainKeys")}: ` : ""}
        <span className="figure text-text">{begunWith === null ? held : say("drainProgress", { left: held, all: begunWith })}</span>
      </p>
      {begunWith !== null && begunWith > 0 && <progress value={begunWith - held} max={begunWith} aria-label={say("drain")} className="h-1.5 w-full accent-accent" />}
      <Field label={say("deadline")} type="number" min={SHORTEST_S} max={LONGEST_S} value={deadline} onChange={(event) => setDeadline(event.target.value)} className="figure max-w-28" />
    </Confirm>
  );
}

/** Begin maintenance, or end it where the instance is drained by it. */
export function MaintenanceDialog({ row, onClose }: { row: FleetRow; onClose: () => void }) {
  const say = useWords(INSTANCES);
  const { service, instance } = row;
  const [on] = useState(!row.maintenance);
  const change = async () => {
    const left = await answered(
      api.POST("/api/instances/{service}/{instance}/maintenance", {
        params: { path: { service, instance } },
        body: { on, confirm: on ? instance : "" },
      }),
    );
    toast(say(on ? "maintained" : "released", { instance, calls: left.at_work, keys: left.keys }));
  };
  return (
    <Confirm title={say(on ? "maintainTitle" : "releaseTitle", { instance })} action={say(on ? "maintain" : "release")} word={on ? instance : undefined} danger={on} onConfirm={change} onClose={onClose}>
      <p>{say(on ? "maintainText" : "releaseText")}</p>
      <div className="-my-1 flex">
        <CopyCommand parts={["aegis", "maintenance", instance, "--service", service, ...(on ? [] : ["--release"])]} />
      </div>
    </Confirm>
  );
}
