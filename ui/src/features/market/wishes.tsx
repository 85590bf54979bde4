"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { CopyCommand } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { Choice, Field } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { toast } from "@/components/ui/toast";
import { useMay } from "@/features/session/session";
import type { Schemas } from "@/lib/api/client";
import { whole } from "@/lib/format";
import { useTimes } from "@/lib/time";
import { type Say, useWords } from "@/lib/words";
import { useWishes } from "./asked";
import { namesIn, OPERATOR, subscribe, unsubscribe } from "./wishing";
import { useWhy } from "./reasons";
import { MARKET } from "./words";

type Wish = Schemas["WishView"];
type Scope = Schemas["Scope"];
const HOUR_S = 3_600;
const LONGEST_H = 720;
const CONSUMER = /^[A-Za-z0-9_-]{1,64}$/;

/** Who wants what: consumers with their contracts by name, and their scopes. */
export function Wishes() {
  const say = useWords(MARKET);
  const { moment } = useTimes();
  const mayAct = useMay("trader");
  const wishes = useWishes();
  const [ended, setEnded] = useState<string>("");
  const inWords = (scopes: Scope[]) => scopes.map((one) => scopeText(say, one)).join(", ");
  const columns: Column<Wish>[] = [
    { key: "consumer", title: say("consumer"), width: "30%", cell: (row) => <span title={row.consumer} className="font-medium">{row.consumer}</span>, sort: (row) => row.consumer },
    { key: "instruments", title: say("byName"), right: true, width: "84px", cell: (row) => whole(row.instruments), sort: (row) => -row.instruments },
    { key: "scopes", title: say("scopes"), cell: (row) => <span className="text-soft" title={inWords(row.scopes)}>{inWords(row.scopes) || "–"}</span> },
    { key: "expires", title: say("until"), right: true, width: "148px", from: "md", cell: (row) => (row.expires_at ? moment(row.expires_at) : "–") },
    ...(mayAct
      ? [
          {
            key: "end",
            title: say("unsubscribe"),
            right: true,
            width: "104px",
            cell: (row: Wish) => (
              <button type="button" className="font-sans text-soft underline-offset-2 hover:text-bad hover:underline" aria-label={say("endOf", { consumer: row.consumer })} onClick={() => setEnded(row.consumer)}>
                {say("unsubscribe")}
              </button>
            ),
          },
        ]
      : []),
  ];
  return (
    <Panel title={say("wishes")} note={say("wishesNote")} actions={<CopyCommand parts={["aegis", "subscriptions"]} />}>
      <Answer of={wishes} rows={3}>
        {(told) => <Table name="wishes" label={say("wishes")} columns={columns} rows={told.wishes} rowKey={(row) => row.consumer} empty={say("noWishes")} height="260px" />}
      </Answer>
      {ended && <EndDialog consumer={ended} onClose={() => setEnded("")} />}
    </Panel>
  );
}

function scopeText(say: Say<keyof (typeof MARKET)["en"]>, { exchange, product, kind }: Scope): string {
  return [exchange, product, kind && say(`kind.${kind}`)].filter(Boolean).join(" ") || "*";
}

function EndDialog({ consumer, onClose }: { consumer: string; onClose: () => void }) {
  const say = useWords(MARKET);
  const cache = useQueryClient();
  const end = async () => {
    const told = await unsubscribe({ consumer, everything: true });
    toast(say("endedOf", { consumer, still: told.still_wanted }));
    await cache.invalidateQueries({ queryKey: ["market"] });
  };
  return (
    <Confirm title={say("endOf", { consumer })} action={say("unsubscribe")} word={consumer} danger onConfirm={end} onClose={onClose}>
      <p>{say("endText", { consumer })}</p>
      <div className="-my-1 flex">
        <CopyCommand parts={["aegis", "unsubscribe", "--all", "--as", consumer]} />
      </div>
    </Confirm>
  );
}

/** Want contracts by name, or all of an exchange, a product and a kind, for good or for a while. */
export function SubscribeDialog({ onClose }: { onClose: () => void }) {
  const say = useWords(MARKET);
  const cache = useQueryClient();
  const [text, setText] = useState("");
  const [exchange, setExchange] = useState("");
  const [product, setProduct] = useState("");
  const [kind, setKind] = useState("future");
  const [consumer, setConsumer] = useState(OPERATOR);
  const [hours, setHours] = useState("");
  const inWhy = useWhy();
  const names = namesIn(text);
  const hasScope = exchange !== "" || product !== "";
  const isTime = hours === "" || (Number(hours) > 0 && Number(hours) <= LONGEST_H);
  const scopes = hasScope ? [{ exchange, product, kind: kind as Scope["kind"] }] : [];
  const want = async () => {
    const told = await subscribe({ consumer, instruments: names, scopes, ttl_s: Math.round(Number(hours) * HOUR_S) });
    if (told.rejected.length) toast(told.rejected.map((one) => `${one.what}: ${inWhy(one.why)}`).slice(0, 5).join("; "), "bad");
    if (told.accepted.length) toast(say("wanted", { consumer, count: told.instruments }));
    await cache.invalidateQueries({ queryKey: ["market"] });
  };
  const command = [
    ...["aegis", "subscribe", ...names],
    ...(exchange ? ["--exchange", exchange] : []),
    ...(product ? ["--product", product] : []),
    ...(hasScope && kind !== "future" ? ["--kind", kind] : []),
    ...(consumer === OPERATOR ? [] : ["--as", consumer]),
    ...(Number(hours) ? ["--expires", String(Math.round(Number(hours) * HOUR_S))] : []),
  ];
  return (
    <Confirm title={say("subscribeTitle")} action={say("subscribe")} ready={(names.length > 0 || hasScope) && isTime && CONSUMER.test(consumer)} onConfirm={want} onClose={onClose}>
      <Field label={say("names")} value={text} onChange={(event) => setText(event.target.value)} placeholder={say("namesExample")} hint={say("namesHint")} className="figure" autoFocus />
      <div className="grid grid-cols-3 gap-2">
        <Field label={say("exchange")} value={exchange} onChange={(event) => setExchange(event.target.value.toUpperCase())} className="figure" />
        <Field label={say("product")} value={product} onChange={(event) => setProduct(event.target.value)} className="figure" />
        <Choice label={say("kind")} value={kind} onChange={(event) => setKind(event.target.value)}>
          {(["future", "option", "combination", "other"] as const).map((one) => (
            <option key={one} value={one}>
              {say(`kind.${one}`)}
            </option>
          ))}
        </Choice>
      </div>
      <div className="grid grid-cols-2 gap-2">
        <Field label={say("consumer")} value={consumer} onChange={(event) => setConsumer(event.target.value)} className="figure" />
        <Field label={say("hours")} type="number" min={1} max={LONGEST_H} value={hours} onChange={(event) => setHours(event.target.value)} hint={say("hoursHint")} className="figure" />
      </div>
      <div className="-my-1 flex">
        <CopyCommand parts={command} />
      </div>
    </Confirm>
  );
}
