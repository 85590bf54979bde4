"use client";

import { Figure, Figures } from "@/components/ui/panel";
import { decimal } from "@/lib/format";
import { useWords } from "@/lib/words";
import type { Account } from "./model";
import { gain, gainTone, money } from "./money";
import { TRADING } from "./words";

/** The account's money, to the cent. */
export function AccountFigures({ account }: { account: Account }) {
  const say = useWords(TRADING);
  const frozen = Number(account.frozen_margin) + Number(account.frozen_commission);
  const balance = Number(account.balance);
  const share = balance > 0 ? (Number(account.margin) * 100) / balance : 0;
  const profit = (amount: string) => <span className={gainTone(amount)}>{gain(amount)}</span>;
  return (
    <Figures className="lg:grid! lg:grid-cols-6!">
      <Figure label={say("balance")} value={<span data-testid="balance">{money(account.balance)}</span>} note={say("before", { amount: money(account.pre_balance) })} />
      <Figure label={say("available")} value={money(account.available)} tone={Number(account.available) < 0 ? "bad" : "plain"} note={say("frozen", { amount: money(frozen.toFixed(8)) })} />
      <Figure label={say("margin")} value={money(account.margin)} note={say("marginUse", { share: decimal(share, 1) })} />
      <Figure label={say("positionProfit")} value={profit(account.position_profit)} />
      <Figure label={say("closeProfit")} value={profit(account.close_profit)} />
      <Figure label={say("commission")} value={money(account.commission)} tone="soft" />
    </Figures>
  );
}
