"use client";

import { Loading, Empty } from "@/components/ui/states";
import { PageHead, Panel } from "@/components/ui/panel";
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

/** The trader's page: an account, what it has, and an order for it. The first account, unless the address names one. */
export function Trading() {
  const say = useWords(TRADING);
  const { names, isWhole } = useAccounts();
  const [chosen] = useUrlState("account");
  const account = chosen || names[0] || "";
  if (account) return <OfAccount key={account} account={account} />;
  return (
    <>
      <PageHead title={say("title")} />
      <Panel title={say("accounts")}>{isWhole ? <Empty>{say("noAccounts")}</Empty> : <Loading />}</Panel>
    </>
  );
}

function OfAccount({ account }: { account: string }) {
  const say = useWords(TRADING);
  const { book, refusal, trouble } = useBook(account);
  const contracts = useContracts();
  const [order, setOrder] = useUrlState("order");
  const state = book.account;
  const why = refusal ? refusal.detail || refusal.code : trouble?.reason;
  if (!state) {
    return (
      <>
        <PageHead title={say("title")} />
        <AccountsPanel selected={account} />
        <Panel title={account}>
          {refusal?.code === "not_found" ? <Empty>{say("noAccount", { account })}</Empty> : why ? <Empty>{say("refused", { why })}</Empty> : <Loading rows={8} />}
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
