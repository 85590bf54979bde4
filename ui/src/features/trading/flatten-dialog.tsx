"use client";

import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { EnvironmentBadge } from "@/features/shell/environment";
import { answered, api } from "@/lib/api/client";
import { useWords } from "@/lib/words";
import { type Account, type Position, positionKey } from "./model";
import { useReasonWords } from "./reasons";
import { STEERING } from "./steering-words";
import { TRADING } from "./words";

/** Close all positions, which are listed once more, by typing the account's name. */
export function FlattenDialog({ account, positions, onClose }: { account: Account; positions: Position[]; onClose: () => void }) {
  const say = useWords(STEERING);
  const sayTrading = useWords(TRADING);
  const inWords = useReasonWords();
  const name = account.account;
  const held = positions.filter((one) => one.today + one.yesterday > 0);
  const mayClose = account.mode === "normal" || account.mode === "close_only";
  const flatten = async () => {
    const { orders, refused } = await answered(api.POST("/api/trading/accounts/{account}/flatten", { params: { path: { account: name } }, body: { confirm: name, instruments: [] } }));
    toast(say("flattenDone", { account: name, count: orders.length }));
    const not = Object.entries(refused).map(([instrument, reason]) => `${instrument}: ${inWords(reason)}`);
    if (not.length) toast(say("flattenRefused", { refused: not.join("; ") }), "bad");
  };
  return (
    <Confirm title={say("flattenTitle", { account: name })} action={say("flatten")} word={name} danger ready={held.length > 0 && mayClose} onConfirm={flatten} onClose={onClose}>
      <div className="flex">
        <EnvironmentBadge of={account.env} />
      </div>
      <p>{say("flattenText")}</p>
      {!mayClose && <p className="text-warn">{say("flattenMode")}</p>}
      {held.length ? (
        <ul className="max-h-40 overflow-y-auto rounded-sm border bg-ground px-3 py-1.5 text-xs">
          {held.map((one) => (
            <li key={positionKey(one)} className="flex gap-3 py-0.5">
              <span className="figure grow text-text">{one.instrument}</span>
              <span>{sayTrading(`direction.${one.direction}`)}</span>
              <span className="figure w-16 text-right text-text">{one.today + one.yesterday}</span>
            </li>
          ))}
        </ul>
      ) : (
        <p className="text-warn">{say("nothingHeld")}</p>
      )}
      <div className="-my-1 flex">
        <CopyCommand parts={["aegis", "trading", "flatten", "--account", name]} />
      </div>
    </Confirm>
  );
}
