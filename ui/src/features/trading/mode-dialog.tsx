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

/**
 * What the account may do; a live one is armed here, and its name typed for it. What nobody chooses stays as it is by then. A mode is chosen for the one that is seen: where another one
 * comes meanwhile, as by a kill, it has to be chosen anew.
 */
export function ModeDialog({ account, onClose }: { account: Account; onClose: () => void }) {
  const say = useWords(STEERING);
  const sayTrading = useWords(TRADING);
  const [chosen, setChosen] = useState<Mode | "">("");
  const [was, setWas] = useState(account.mode);
  const [arming, setArming] = useState<Arming>("");
  const [reason, setReason] = useState("");
  const name = account.account;
  const isAnother = chosen !== "" && account.mode !== was && account.mode !== chosen;
  const mode = isAnother ? "" : chosen;
  const choose = (next: Mode | "") => {
    setChosen(next);
    setWas(account.mode);
  };
  const change = async () => {
    const armed = arming === "" ? null : arming === "arm";
    const body = { mode: mode || null, was: mode ? was : null, armed, reason };
    const state = await answered(api.POST("/api/trading/accounts/{account}/mode", { params: { path: { account: name } }, body }));
    toast(say("modeDone", { account: name, mode: sayTrading(`mode.${state.mode}`) }));
  };
  const what = mode ? ["mode", mode, ...(arming ? [`--${arming}`] : [])] : [arming];
  const command = ["aegis", "trading", ...what, ...(reason ? ["--reason", reason] : []), "--account", name];
  return (
    <Confirm title={say("modeTitle", { account: name })} action={say("setMode")} word={arming === "arm" ? name : undefined} danger={arming === "arm"} ready={mode !== "" || arming !== ""} onConfirm={change} onClose={onClose}>
      <div className="flex">
        <EnvironmentBadge of={account.env} />
      </div>
      <Choice label={sayTrading("mode")} value={mode} hint={sayTrading(`modeText.${mode || account.mode}`)} onChange={(event) => choose(event.target.value as Mode | "")}>
        <option value="">{say("asIs", { state: sayTrading(`mode.${account.mode}`) })}</option>
        {MODES.map((one) => (
          <option key={one} value={one}>
            {sayTrading(`mode.${one}`)}
          </option>
        ))}
      </Choice>
      {isAnother && (
        <p role="alert" className="text-warn">
          {say("anotherMode", { mode: sayTrading(`mode.${account.mode}`) })}
        </p>
      )}
      {account.env === "live" && (
        <Choice label={say("arming")} value={arming} onChange={(event) => setArming(event.target.value as Arming)}>
          <option value="">{say("asIs", { state: sayTrading(account.armed ? "armed" : "disarmed") })}</option>
          <option value="arm">{say("arm")}</option>
          <option value="disarm">{say("disarm")}</option>
        </Choice>
      )}
      <Field label={say("reason")} value={reason} maxLength={LONGEST_REASON} onChange={(event) => setReason(event.target.value)} />
      {(mode !== "" || arming !== "") && (
        <div className="-my-1 flex">
          <CopyCommand parts={command} />
        </div>
      )}
    </Confirm>
  );
}
