"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Choice, Field } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { toast } from "@/components/ui/toast";
import { useMay, useMe } from "@/features/session/session";
import { ROLE_WORDS } from "@/features/session/words";
import { answered, api, type Schemas } from "@/lib/api/client";
import { includes, type Role, ROLES } from "@/lib/roles";
import { duration, useNow, useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { Once } from "./once";
import { SETTINGS } from "./words";

type Token = Schemas["TokenView"];
type Made = Schemas["MadeToken"];

const NAME = /^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$/;
const LONGEST_DAYS = 365;

/** API tokens, one's own; administrators see and end those of all. */
export function Tokens() {
  const say = useWords(SETTINGS);
  const cache = useQueryClient();
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => answered(api.GET("/api/tokens")) });
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState<Made | null>(null);
  const [ending, setEnding] = useState<Token | null>(null);
  const refresh = () => cache.invalidateQueries({ queryKey: ["tokens"] });
  return (
    <Panel
      title={say("tokens")}
      note={say("tokensNote")}
      actions={
        <Button kind="primary" onClick={() => setMaking(true)}>
          {say("newToken")}
        </Button>
      }
    >
      <Answer of={tokens}>{(rows) => <TokenTable rows={rows} onEnd={setEnding} />}</Answer>
      {isMaking && (
        <NewToken
          onMade={(one) => {
            setMade(one);
            void refresh();
          }}
          onClose={() => setMaking(false)}
        />
      )}
      {made && <Once title={say("tokenMade", { name: made.token.name })} note={say("onceToken")} secret={made.secret} onClose={() => setMade(null)} />}
      {ending && (
        <Confirm
          title={say("deleteTokenTitle", { name: ending.name })}
          action={say("deleteToken")}
          danger
          onConfirm={async () => {
            await answered(api.DELETE("/api/tokens/{token}", { params: { path: { token: ending.id } } }));
            toast(say("tokenEnded", { name: ending.name }));
            await refresh();
          }}
          onClose={() => setEnding(null)}
        >
          <p>{say("deleteTokenText")}</p>
        </Confirm>
      )}
    </Panel>
  );
}

function TokenTable({ rows, onEnd }: { rows: Token[]; onEnd: (row: Token) => void }) {
  const say = useWords(SETTINGS);
  const sayRole = useWords(ROLE_WORDS);
  const isAdmin = useMay("admin");
  const { moment } = useTimes();
  const now = useNow(60_000);
  const left = (row: Token) => {
    const ms = Date.parse(row.ends_at) - now;
    return ms > 0 ? say("endsIn", { time: duration(ms) }) : say("over");
  };
  const columns: Column<Token>[] = [
    { key: "name", title: say("name"), cell: (row) => <span className="font-medium" title={row.name}>{row.name}</span>, sort: (row) => row.name },
    ...(isAdmin ? [{ key: "user", title: say("user"), width: "112px", from: "sm" as const, cell: (row: Token) => <span title={row.user}>{row.user}</span>, sort: (row: Token) => row.user }] : []),
    { key: "role", title: say("role"), width: "104px", cell: (row) => sayRole(row.role), sort: (row) => ROLES.indexOf(row.role) },
    { key: "created", title: say("created"), right: true, width: "160px", from: "lg", cell: (row) => moment(row.created_at), sort: (row) => row.created_at },
    { key: "ends", title: say("ends"), right: true, width: "108px", cell: (row) => <span title={moment(row.ends_at)}>{now > 0 && left(row)}</span>, sort: (row) => row.ends_at },
    {
      key: "end",
      title: say("deleteToken"),
      width: "76px",
      cell: (row) => (
        <Button kind="danger" className="h-6!" aria-label={say("deleteTokenLabel", { name: row.name })} onClick={() => onEnd(row)}>
          {say("deleteToken")}
        </Button>
      ),
    },
  ];
  return <Table name="tokens" label={say("tokens")} columns={columns} rows={rows} rowKey={(row) => row.id} empty={say("noTokens")} />;
}

function NewToken({ onMade, onClose }: { onMade: (made: Made) => void; onClose: () => void }) {
  const say = useWords(SETTINGS);
  const sayRole = useWords(ROLE_WORDS);
  const me = useMe();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [days, setDays] = useState("90");
  const count = Number(days);
  const isReady = NAME.test(name) && Number.isInteger(count) && count >= 1 && count <= LONGEST_DAYS;
  return (
    <Confirm title={say("newToken")} action={say("create")} ready={isReady} onConfirm={async () => onMade(await answered(api.POST("/api/tokens", { body: { name, role, days: count } })))} onClose={onClose}>
      <Field label={say("tokenName")} hint={say("tokenNameHint")} value={name} onChange={(event) => setName(event.target.value)} className="figure" autoFocus />
      <div className="grid grid-cols-2 gap-3">
        <Choice label={say("role")} value={role} onChange={(event) => setRole(event.target.value as Role)}>
          {ROLES.filter((one) => includes(me.role, one)).map((one) => (
            <option key={one} value={one}>
              {sayRole(one)}
            </option>
          ))}
        </Choice>
        <Field label={say("days")} hint={say("daysHint")} type="number" min={1} max={LONGEST_DAYS} value={days} onChange={(event) => setDays(event.target.value)} className="figure" />
      </div>
    </Confirm>
  );
}
