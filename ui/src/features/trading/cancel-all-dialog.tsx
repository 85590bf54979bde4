"use client";

import { useState } from "react";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { EnvironmentBadge } from "@/features/shell/environment";
import { useWords } from "@/lib/words";
import { cancelEach } from "./cancel";
import type { Account, Order } from "./model";
import { useRefusalWords } from "./reasons";
import { TRADING } from "./words";

/** Cancel the orders that work now, one by one. */
export function CancelAllDialog({ account, working, onClose }: { account: Account; working: Order[]; onClose: () => void }) {
  const say = useWords(TRADING);
  const refusal = useRefusalWords();
  const [ids] = useState(() => working.map((one) => one.client_order_id));
  const [done, setDone] = useState<number | null>(null);
  const name = account.account;
  const cancel = async () => {
    setDone(0);
    const errors = await cancelEach(name, ids, setDone);
    if (!errors.length) return toast(say("cancelAllDone", { count: ids.length, account: name }));
    const why = [...new Set(errors.map(refusal))].join(" ");
    toast(say("cancelAllFailed", { failed: errors.length, count: ids.length, why }), "bad");
  };
  return (
    <Confirm title={say("cancelAllTitle", { count: ids.length, account: name })} action={say("cancelAll")} danger onConfirm={cancel} onClose={onClose}>
      <div className="flex">
        <EnvironmentBadge of={account.env} />
      </div>
      <p>{say("cancelAllText")}</p>
      {done !== null && (
        <>
          <p className="figure text-xs text-text">{say("cancelAllProgress", { done, all: ids.length })}</p>
          <progress value={done} max={ids.length} aria-label={say("cancelAll")} className="h-1.5 w-full accent-accent" />
        </>
      )}
    </Confirm>
  );
}
