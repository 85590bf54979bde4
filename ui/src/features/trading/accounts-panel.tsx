"use client";

import { useRouter } from "next/navigation";
import { State } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { RowName } from "@/components/ui/row-name";
import { type Column, Table } from "@/components/ui/table";
import { type Environment, EnvironmentBadge, environmentOf } from "@/features/shell/environment";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import { useAccounts, useAccountStates } from "./accounts";
import type { Account } from "./model";
import { MODE_HEALTH } from "./modes";
import { gain, gainTone, money } from "./money";
import { TRADING } from "./words";

/** All accounts of the desk, where it has more than one. */
export function AccountsPanel({ selected }: { selected: string }) {
  const { listed } = useAccounts();
  return listed.length > 1 ? <Accounts listed={listed} selected={selected} /> : null;
}

interface Row {
  name: string;
  env: Environment;
  state: Account | undefined;
}

function Accounts({ listed, selected }: { listed: ReturnType<typeof useAccounts>["listed"]; selected: string }) {
  const say = useWords(TRADING);
  const router = useRouter();
  const states = useAccountStates(listed.map((one) => one.account));
  const rows: Row[] = listed.map((one) => ({ name: one.account, env: environmentOf([one]), state: states.get(one.account) }));
  const amount = (key: "balance" | "available" | "margin", from?: "md" | "lg"): Column<Row> => ({
    key,
    title: say(key),
    right: true,
    from,
    width: "124px",
    cell: ({ state }) => (state ? money(state[key]) : "–"),
    sort: ({ state }) => Number(state?.[key] ?? 0),
  });
  const columns: Column<Row>[] = [
    { key: "account", title: say("account"), cell: (row) => <RowName of={row.name} />, sort: (row) => row.name },
    { key: "env", title: say("environment"), width: "104px", cell: ({ env }) => <EnvironmentBadge of={env} />, sort: ({ env }) => env },
    { key: "mode", title: say("mode"), width: "108px", from: "sm", cell: ({ state }) => state && <State health={MODE_HEALTH[state.mode]}>{say(`mode.${state.mode}`)}</State>, sort: ({ state }) => state?.mode ?? "" },
    amount("balance"),
    amount("available", "md"),
    amount("margin", "lg"),
    {
      key: "profit",
      title: say("positionProfit"),
      right: true,
      from: "lg",
      width: "116px",
      cell: ({ state }) => (state ? <span className={gainTone(state.position_profit)}>{gain(state.position_profit)}</span> : "–"),
      sort: ({ state }) => Number(state?.position_profit ?? 0),
    },
  ];
  return (
    <Panel title={say("accounts")} note={listed.length}>
      <Table name="accounts" label={say("accounts")} columns={columns} rows={rows} rowKey={(row) => row.name} selected={selected} onOpen={(row) => router.push(to("/trading", { account: row.name }))} height="224px" />
    </Panel>
  );
}
