"use client";

import Link from "next/link";
import { useState } from "react";
import { State } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { PageHead } from "@/components/ui/panel";
import { leaseAt } from "@/features/leases/lease-table";
import { useMay } from "@/features/session/session";
import { EnvironmentBadge } from "@/features/shell/environment";
import type { Lease } from "@/lib/api/client";
import { useTopic } from "@/lib/live/hooks";
import { useWords } from "@/lib/words";
import { useAccounts } from "./accounts";
import { FlattenDialog } from "./flatten-dialog";
import { goToTicket } from "./draft";
import { KillDialog } from "./kill-dialog";
import { ModeDialog } from "./mode-dialog";
import { type Account, type Book, isWorking } from "./model";
import { MODE_HEALTH } from "./modes";
import { ReconcileDialog } from "./reconcile-dialog";
import { STEERING } from "./steering-words";
import { TRADING } from "./words";

type Open = "" | "mode" | "kill" | "flatten" | "reconcile";

/** Which account it is and what it may do; and the ways to steer it, by role. */
export function AccountHead({ account, book }: { account: Account; book: Book }) {
  const say = useWords(TRADING);
  const isDisarmed = account.env === "live" && !account.armed;
  return (
    <>
      <PageHead
        title={say("title")}
        note={
          <>
            <EnvironmentBadge of={account.env} />
            <span className="font-medium text-text" data-testid="account">
              {account.account}
            </span>
            <span data-testid="mode" data-mode={account.mode}>
              <State health={MODE_HEALTH[account.mode]}>{say(`mode.${account.mode}`)}</State>
            </span>
            <span className="text-faint">
              {say("day", { day: account.trading_day })}
              {" · "}
              <Holder account={account.account} />
            </span>
          </>
        }
        actions={<Actions account={account} book={book} />}
      />
      {(account.mode !== "normal" || isDisarmed) && (
        <p aria-live="polite" className={`rounded-md border px-3 py-2 text-xs ${account.mode === "halted" ? "border-bad/60 bg-bad/10 text-bad" : "border-warn/60 bg-warn/8 text-warn"}`}>
          {account.mode !== "normal" && (
            <>
              <span className="font-semibold">{say(`mode.${account.mode}`)}.</span> {say(`modeText.${account.mode}`)}{" "}
            </>
          )}
          {isDisarmed && say("disarmedText")}
        </p>
      )}
    </>
  );
}

/** Who trades the account now. */
function Holder({ account }: { account: string }) {
  const say = useWords(TRADING);
  const { keys } = useAccounts();
  const leases = useTopic<Lease>("leases");
  const key = keys.get(account) ?? account;
  const lease = leases.rows.get(`trading.${key}`);
  if (!leases.isWhole) return null;
  if (!lease?.holder) return <span className="text-bad">{say("noHolder")}</span>;
  return (
    <Link href={leaseAt({ service: "trading", key })} className="hover:text-accent">
      {say("holder", { instance: lease.holder, epoch: lease.epoch ?? 0 })}
    </Link>
  );
}

function Actions({ account, book }: { account: Account; book: Book }) {
  const say = useWords(TRADING);
  const saySteering = useWords(STEERING);
  const mayTrade = useMay("trader");
  const maySteer = useMay("operator");
  const [open, setOpen] = useState<Open>("");
  const close = () => setOpen("");
  return (
    <>
      <CopyCommand parts={["aegis", "account", "--account", account.account]} />
      {mayTrade && (
        <Button onClick={() => goToTicket("instrument")} className="xl:hidden">
          {say("newOrder")}
        </Button>
      )}
      {maySteer && (
        <>
          <Button onClick={() => setOpen("reconcile")}>{saySteering("reconcile")}</Button>
          <Button onClick={() => setOpen("mode")}>{saySteering("setMode")}</Button>
          <Button kind="danger" onClick={() => setOpen("flatten")}>
            {saySteering("flatten")}
          </Button>
        </>
      )}
      {mayTrade && (
        <Button kind="danger" onClick={() => setOpen("kill")}>
          {saySteering("kill")}
        </Button>
      )}
      {open === "mode" && <ModeDialog account={account} onClose={close} />}
      {open === "kill" && <KillDialog account={account} working={book.orders.filter(isWorking).length} onClose={close} />}
      {open === "flatten" && <FlattenDialog account={account} positions={book.positions} onClose={close} />}
      {open === "reconcile" && <ReconcileDialog account={account} onClose={close} />}
    </>
  );
}
