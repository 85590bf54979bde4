"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { State, type Health } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Answer } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { useMe } from "@/features/session/session";
import { ROLE_WORDS } from "@/features/session/words";
import { answered, api, type Schemas } from "@/lib/api/client";
import { ROLES } from "@/lib/roles";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { Once } from "./once";
import { ChangeUser, DeleteUser, NewUser, ResetPassword } from "./user-dialogs";
import { SETTINGS } from "./words";

export type User = Schemas["UserView"];
type First = Schemas["FirstPassword"];

const KINDS = { change: ChangeUser, reset: ResetPassword, delete: DeleteUser };

/** All users, for administrators. */
export function Users() {
  const say = useWords(SETTINGS);
  const cache = useQueryClient();
  const users = useQuery({ queryKey: ["users"], queryFn: () => answered(api.GET("/api/users")), refetchInterval: 30_000 });
  const [open, setOpen] = useState<{ kind: keyof typeof KINDS; user: User } | null>(null);
  const [isMaking, setMaking] = useState(false);
  const [first, setFirst] = useState<First | null>(null);
  const done = (password?: First) => {
    if (password) setFirst(password);
    void cache.invalidateQueries({ queryKey: ["users"] });
  };
  const Open = open && KINDS[open.kind];
  return (
    <Panel
      title={say("users")}
      note={say("usersNote")}
      actions={
        <Button kind="primary" onClick={() => setMaking(true)}>
          {say("newUser")}
        </Button>
      }
    >
      <Answer of={users}>{(rows) => <UserTable rows={rows} onOpen={(kind, user) => setOpen({ kind, user })} />}</Answer>
      {isMaking && <NewUser onDone={done} onClose={() => setMaking(false)} />}
      {open && Open && <Open key={open.kind} user={open.user} onDone={done} onClose={() => setOpen(null)} onOther={(kind) => setOpen({ ...open, kind })} />}
      {first && <Once title={say("passwordOf", { name: first.user.name })} note={say("oncePassword", { name: first.user.name })} secret={first.password} onClose={() => setFirst(null)} />}
    </Panel>
  );
}

function healthOf(user: User): { health: Health; word: "disabled" | "mustChange" | "enabled" } {
  if (!user.enabled) return { health: "idle", word: "disabled" };
  return user.must_change ? { health: "moving", word: "mustChange" } : { health: "well", word: "enabled" };
}

function UserTable({ rows, onOpen }: { rows: User[]; onOpen: (kind: keyof typeof KINDS, user: User) => void }) {
  const say = useWords(SETTINGS);
  const sayRole = useWords(ROLE_WORDS);
  const me = useMe();
  const { moment } = useTimes();
  const status = (row: User) => {
    const { health, word } = healthOf(row);
    return (
      <span title={say(word)}>
        <State health={health}>{say(word)}</State>
      </span>
    );
  };
  const columns: Column<User>[] = [
    { key: "name", title: say("name"), cell: (row) => <span className="font-medium" title={row.name}>{row.name}</span>, sort: (row) => row.name },
    { key: "role", title: say("role"), width: "104px", cell: (row) => sayRole(row.role), sort: (row) => ROLES.indexOf(row.role) },
    { key: "status", title: say("status"), width: "148px", from: "sm", cell: status, sort: (row) => healthOf(row).word },
    { key: "changed", title: say("changed"), right: true, width: "152px", from: "lg", cell: (row) => moment(row.changed_at), sort: (row) => row.changed_at },
    {
      key: "actions",
      title: say("actions"),
      cell: (row) =>
        row.name === me.name ? (
          <span className="text-faint">{say("itself")}</span>
        ) : (
          <span className="flex gap-1.5">
            <Button className="h-6!" aria-label={say("changeLabel", { name: row.name })} onClick={() => onOpen("change", row)}>
              {say("change")}
            </Button>
            <Button kind="quiet" className="h-6! @max-[720px]:hidden" onClick={() => onOpen("reset", row)}>
              {say("reset")}
            </Button>
            <Button kind="danger" className="h-6! @max-[560px]:hidden" onClick={() => onOpen("delete", row)}>
              {say("delete")}
            </Button>
          </span>
        ),
    },
  ];
  return <Table name="users" label={say("users")} columns={columns} rows={rows} rowKey={(row) => row.name} />;
}
