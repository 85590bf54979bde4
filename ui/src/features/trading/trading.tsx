"use client";

import { CopyCommand } from "@/components/ui/copy";
import { PageHead, Panel } from "@/components/ui/panel";
import { Answer, Empty, Loading, useProblemWhy } from "@/components/ui/states";
import type { Instance } from "@/lib/api/client";
import { useRows } from "@/lib/live/hooks";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { AccountFigures } from "./account-figures";
import { AccountHead } from "./account-head";
import { AccountsPanel } from "./accounts-panel";
import { useAccounts } from "./accounts";
import { useBook, useContracts } from "./model";
import { OrderDetail } from "./order-detail";
import { OrdersPanel } from "./orders-panel";
import { PositionsPanel } from "./positions-panel";
import { TicketPanel } from "./ticket-panel";
import { UnsettledNotices } from "./unsettled-notices";
import { TRADING } from "./words";

const SERVICE = "trading";

/** The trader's page: an account, what it has, and an order for it. The first account, unless the address names one. */
export function Trading() {
  const say = useWords(TRADING);
  const { names, query } = useAccounts();
  const [chosen] = useUrlState("account");
  const account = chosen || names[0] || "";
  if (account) return <OfAccount key={account} account={account} />;
  return (
    <>
      <PageHead title={say("title")} />
      <Panel title={say("accounts")}>
        <Answer of={query}>{() => <NoAccount />}</Answer>
      </Panel>
    </>
  );
}

/** What is missing: nobody who would trade, or an account of theirs. */
function NoAccount() {
  const say = useWords(TRADING);
  const { rows, isWhole } = useRows<Instance>("instances");
  if (!isWhole) return <Loading />;
  const isServed = rows.some((one) => one.service === SERVICE);
  return <Empty action={!isServed && <CopyCommand parts={["aegis", "up"]} />}>{say(isServed ? "noAccounts" : "nobodyTrades")}</Empty>;
}

function OfAccount({ account }: { account: string }) {
  const say = useWords(TRADING);
  const { book, refusal, trouble } = useBook(account);
  const inWords = useProblemWhy();
  const [instrument] = useUrlState("instrument");
  const contracts = useContracts(instrument);
  const [order, setOrder] = useUrlState("order");
  const state = book.account;
  const problem = refusal ?? trouble?.problem;
  if (!state) {
    return (
      <>
        <PageHead title={say("title")} />
        <UnsettledNotices account={account} orders={book.orders} onShow={setOrder} />
        <AccountsPanel selected={account} />
        <Panel title={account}>
          {refusal?.code === "not_found" ? <Empty>{say("noAccount", { account })}</Empty> : problem ? <Empty>{say("refused", { why: inWords(problem) })}</Empty> : <Loading rows={8} />}
        </Panel>
      </>
    );
  }
  return (
    <>
      <AccountHead account={state} book={book} />
      <UnsettledNotices account={account} orders={book.orders} onShow={setOrder} />
      <AccountsPanel selected={account} />
      <AccountFigures account={state} />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 xl:grid-cols-[minmax(0,1fr)_304px]">
        <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
          <PositionsPanel account={account} positions={book.positions} contracts={contracts} />
          <OrdersPanel account={state} orders={book.orders} selected={order} onShow={setOrder} />
          {order && <OrderDetail id={order} orders={book.orders} account={state} contracts={contracts} onClose={() => setOrder("")} />}
        </div>
        <TicketPanel account={state} contracts={contracts} />
      </div>
    </>
  );
}
