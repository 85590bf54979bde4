"use client";

import { useState } from "react";
import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { EnvironmentBadge } from "@/features/shell/environment";
import { Problem } from "@/lib/api/problem";
import { useWords } from "@/lib/words";
import { cancelAll } from "./cancel";
import type { Account, Order } from "./model";
import { useRefusalWords } from "./reasons";
import { TRADING } from "./words";

/** Cancel the orders that work now, by one call. */
export function CancelAllDialog({ account, working, onClose }: { account: Account; working: Order[]; onClose: () => void }) {
  const say = useWords(TRADING);
  const refusal = useRefusalWords();
  const [count] = useState(working.length);
  const name = account.account;
  const cancel = async () => {
    const { asked, failed } = await cancelAll(name);
    if (!failed.length) return toast(say("cancelAllDone", { count: asked.length, account: name }));
    const why = [...new Set(failed.map(({ problem }) => refusal(new Problem(problem))))].join(" ");
    toast(say("cancelAllFailed", { failed: failed.length, count: asked.length + failed.length, why }), "bad");
  };
  return (
    <Confirm title={say("cancelAllTitle", { count, account: name })} action={say("cancelAll")} danger onConfirm={cancel} onClose={onClose}>
      <div className="flex">
        <EnvironmentBadge of={account.env} />
      </div>
      <p>{say("cancelAllText")}</p>
      <div className="-my-1 flex">
        <CopyCommand parts={["aegis", "order", "cancel-all", "--account", name]} />
      </div>
    </Confirm>
  );
}
