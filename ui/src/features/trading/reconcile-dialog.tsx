"use client";

import { useQuery } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { CopyCommand } from "@/components/ui/copy";
import { Dialog } from "@/components/ui/dialog";
import { State } from "@/components/ui/badge";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { EnvironmentBadge } from "@/features/shell/environment";
import { answered, api, type Schemas } from "@/lib/api/client";
import { useWords } from "@/lib/words";
import { useAccounts } from "./accounts";
import type { Account } from "./model";
import { STEERING } from "./steering-words";

/** Compare the account with its venue, and tell each figure that differs. */
export function ReconcileDialog({ account, onClose }: { account: Account; onClose: () => void }) {
  const say = useWords(STEERING);
  const { keys } = useAccounts();
  const name = account.account;
  const query = useQuery({
    queryKey: ["reconcile", name],
    queryFn: () => answered(api.POST("/api/trading/accounts/{account}/reconcile", { params: { path: { account: name } } })),
    gcTime: 0,
    staleTime: Infinity,
    retry: false,
    refetchOnReconnect: false, // it is an action: only a person does it again
  });
  return (
    <Dialog title={say("reconcileTitle", { account: name })} onClose={onClose} className="w-[min(720px,calc(100vw-24px))]!">
      <div className="grid gap-4 p-4">
        <div className="flex">
          <EnvironmentBadge of={account.env} />
        </div>
        <Answer of={query} rows={3}>
          {(found) => <Found found={found} />}
        </Answer>
        <div className="flex flex-wrap items-center justify-end gap-2">
          <div className="mr-auto">
            <CopyCommand parts={["aegis", "call", "trading.reconcile", JSON.stringify({ account: name }), "--key", keys.get(name) ?? name]} />
          </div>
          <Button busy={query.isFetching} onClick={() => void query.refetch()}>
            {say("again")}
          </Button>
          <Button kind="primary" onClick={onClose}>
            {say("done")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

type Difference = Schemas["Difference"];

function Found({ found }: { found: Schemas["ReconcileReply"] }) {
  const say = useWords(STEERING);
  const columns: Column<Difference>[] = [
    { key: "what", title: say("difference"), cell: (row) => <span title={`${row.what} ${row.of} ${row.field}`}>{`${row.what} ${row.of} ${row.field}`}</span>, sort: (row) => `${row.what} ${row.of}` },
    { key: "ours", title: say("ours"), right: true, width: "132px", cell: (row) => <span title={row.ours}>{row.ours}</span> },
    { key: "theirs", title: say("theirs"), right: true, width: "132px", cell: (row) => <span title={row.theirs}>{row.theirs}</span> },
  ];
  const agreed = found.verdict === "agreed";
  return (
    <div className="grid gap-2 text-xs" aria-live="polite">
      <p className="text-sm">
        <State health={agreed ? "well" : "bad"}>{say(found.verdict)}</State>
      </p>
      {found.trades_booked > 0 && <p>{say("booked", { count: found.trades_booked })}</p>}
      {found.adopted.length > 0 && <p className="wrap-anywhere">{say("adopted", { count: found.adopted.length, ids: found.adopted.join(", ") })}</p>}
      {found.differences.length > 0 && <Table name="differences" label={say("difference")} columns={columns} rows={found.differences} rowKey={(row) => `${row.what} ${row.of} ${row.field}`} height="320px" />}
    </div>
  );
}
