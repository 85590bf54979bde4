"use client";

import { useState } from "react";
import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { Choice, Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { EnvironmentBadge } from "@/features/shell/environment";
import { answered, api } from "@/lib/api/client";
import { useWords } from "@/lib/words";
import type { Account } from "./model";
import { type Mode, MODES } from "./modes";
import { STEERING } from "./steering-words";
import { TRADING } from "./words";

type Arming = "" | "arm" | "disarm";
export const LONGEST_REASON = 256;

/** What the account may do; a live one is armed here, and its name typed for it. */
export function ModeDialog({ account, onClose }: { account: Account; onClose: () => void }) {
  const say = useWords(STEERING);
  const sayTrading = useWords(TRADING);
  const [mode, setMode] = useState<Mode>(account.mode);
  const [arming, setArming] = useState<Arming>("");
  const [reason, setReason] = useState("");
  const name = account.account;
  const change = async () => {
    const armed = arming === "" ? null : arming === "arm";
    const state = await answered(api.POST("/api/trading/accounts/{account}/mode", { params: { path: { account: name } }, body: { mode, armed, reason } }));
    toast(say("modeDone", { account: name, mode: sayTrading(`mode.${state.mode}`) }));
  };
  const command = ["aegis", "trading", "mode", mode, ...(arming ? [`--${arming}`] : []), ...(reason ? ["--reason", reason] : []), "--account", name];
  return (
    <Confirm title={say("modeTitle", { account: name })} action={say("setMode")} word={arming === "arm" ? name : undefined} danger={arming === "arm"} onConfirm={change} onClose={onClose}>
      <div className="flex">
        <EnvironmentBadge of={account.env} />
      </div>
      <Choice label={sayTrading("mode")} value={mode} hint={sayTrading(`modeText.${mode}`)} onChange={(event) => setMode(event.target.value as Mode)}>
        {MODES.map((one) => (
          <option key={one} value={one}>
            {sayTrading(`mode.${one}`)}
          </option>
        ))}
      </Choice>
      {account.env === "live" && (
        <Choice label={say("arming")} value={arming} onChange={(event) => setArming(event.target.value as Arming)}>
          <option value="">{say("armedAsIs", { state: sayTrading(account.armed ? "armed" : "disarmed") })}</option>
          <option value="arm">{say("arm")}</option>
          <option value="disarm">{say("disarm")}</option>
        </Choice>
      )}
      <Field label={say("reason")} value={reason} maxLength={LONGEST_REASON} onChange={(event) => setReason(event.target.value)} />
      <div className="-my-1 flex">
        <CopyCommand parts={command} />
      </div>
    </Confirm>
  );
}
