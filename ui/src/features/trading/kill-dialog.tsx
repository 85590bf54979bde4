"use client";

import { useState } from "react";
import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { EnvironmentBadge } from "@/features/shell/environment";
import { answered, api } from "@/lib/api/client";
import { useWords } from "@/lib/words";
import { LONGEST_REASON } from "./mode-dialog";
import type { Account } from "./model";
import { STEERING } from "./steering-words";

/** Halt the account and cancel all that works, by typing its name. */
export function KillDialog({ account, working, onClose }: { account: Account; working: number; onClose: () => void }) {
  const say = useWords(STEERING);
  const [reason, setReason] = useState("");
  const name = account.account;
  const kill = async () => {
    const { asked, failed } = await answered(api.POST("/api/trading/accounts/{account}/kill", { params: { path: { account: name } }, body: { reason } }));
    if (failed.length) toast(say("killFailed", { account: name, ids: failed.join(", ") }), "bad");
    else toast(say("killDone", { account: name, count: asked.length }));
  };
  return (
    <Confirm title={say("killTitle", { account: name })} action={say("kill")} word={name} danger onConfirm={kill} onClose={onClose}>
      <div className="flex items-center gap-3">
        <EnvironmentBadge of={account.env} />
        <span className="text-xs">
          {say("working")}: <span className="figure text-text">{working}</span>
        </span>
      </div>
      <p>{say("killText")}</p>
      <Field label={say("reason")} value={reason} maxLength={LONGEST_REASON} onChange={(event) => setReason(event.target.value)} />
      <div className="-my-1 flex">
        <CopyCommand parts={["aegis", "trading", "kill", ...(reason ? ["--reason", reason] : []), "--account", name]} />
      </div>
    </Confirm>
  );
}
