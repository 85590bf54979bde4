"use client";

import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Choice, Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { ROLE_WORDS } from "@/features/session/words";
import { answered, api, type Schemas } from "@/lib/api/client";
import { type Role, ROLES } from "@/lib/roles";
import { useWords } from "@/lib/words";
import type { User } from "./users";
import { SETTINGS } from "./words";

type First = Schemas["FirstPassword"];

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

interface Props {
  /** With the password that was made up, which is to be shown once. */
  onDone: (first?: First) => void;
  onClose: () => void;
}

function RoleChoice({ value, onChange }: { value: Role; onChange: (role: Role) => void }) {
  const say = useWords(SETTINGS);
  const sayRole = useWords(ROLE_WORDS);
  return (
    <Choice label={say("role")} value={value} onChange={(event) => onChange(event.target.value as Role)}>
      {ROLES.map((role) => (
        <option key={role} value={role}>
          {sayRole(role)}
        </option>
      ))}
    </Choice>
  );
}

export function NewUser({ onDone, onClose }: Props) {
  const say = useWords(SETTINGS);
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  return (
    <Confirm title={say("newUser")} action={say("create")} ready={NAME.test(name)} onConfirm={async () => onDone(await answered(api.POST("/api/users", { body: { name, role } })))} onClose={onClose}>
      <Field label={say("name")} hint={say("userNameHint")} value={name} onChange={(event) => setName(event.target.value)} className="figure" autoFocus />
      <RoleChoice value={role} onChange={setRole} />
    </Confirm>
  );
}

/** Role, and whether one may sign in: over the revision that was shown when it was opened. From here one goes on to the rest, for which a narrow table has no room. */
export function ChangeUser({ user, onDone, onClose, onOther }: Props & { user: User; onOther: (kind: "reset" | "delete") => void }) {
  const say = useWords(SETTINGS);
  const { name } = user;
  const [role, setRole] = useState<Role>(user.role);
  const [enabled, setEnabled] = useState(user.enabled);
  const change = async () => {
    await answered(api.PATCH("/api/users/{name}", { params: { path: { name }, header: { "if-match": `"${user.revision}"` } }, body: { role, enabled } }));
    toast(say("userChanged", { name }));
    onDone();
  };
  return (
    <Confirm title={say("changeTitle", { name })} action={say("save")} ready={role !== user.role || enabled !== user.enabled} onConfirm={change} onClose={onClose}>
      <RoleChoice value={role} onChange={setRole} />
      <label className="flex items-center gap-2 text-text">
        <input type="checkbox" checked={enabled} onChange={(event) => setEnabled(event.target.checked)} className="size-4 accent-accent" />
        {say("enabled")}
      </label>
      <p className="text-xs">{say("changeText")}</p>
      <div className="flex flex-wrap gap-1.5">
        <Button kind="quiet" onClick={() => onOther("reset")}>
          {say("reset")}
        </Button>
        <Button kind="danger" onClick={() => onOther("delete")}>
          {say("delete")}
        </Button>
      </div>
    </Confirm>
  );
}

export function ResetPassword({ user: { name, revision }, onDone, onClose }: Props & { user: User }) {
  const say = useWords(SETTINGS);
  const reset = async () => onDone(await answered(api.POST("/api/users/{name}/password", { params: { path: { name }, header: { "if-match": `"${revision}"` } } })));
  return (
    <Confirm title={say("resetTitle", { name })} action={say("reset")} danger onConfirm={reset} onClose={onClose}>
      <p>{say("resetText")}</p>
    </Confirm>
  );
}

export function DeleteUser({ user: { name, revision }, onDone, onClose }: Props & { user: User }) {
  const say = useWords(SETTINGS);
  const remove = async () => {
    await answered(api.DELETE("/api/users/{name}", { params: { path: { name }, header: { "if-match": `"${revision}"` } } }));
    toast(say("userDeleted", { name }));
    onDone();
  };
  return (
    <Confirm title={say("deleteTitle", { name })} action={say("delete")} word={name} danger onConfirm={remove} onClose={onClose}>
      <p>{say("deleteText")}</p>
    </Confirm>
  );
}
