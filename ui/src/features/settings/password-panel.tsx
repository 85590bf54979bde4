"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { useProblemWords } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useMe } from "@/features/session/session";
import { SESSION } from "@/features/session/words";
import { answered, api } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import { useWords } from "@/lib/words";
import { SETTINGS } from "./words";

const SHORTEST = 12;
const NONE = { old: "", fresh: "", again: "" };

/** Change one's own password. */
export function PasswordPanel() {
  const say = useWords(SETTINGS);
  const saySession = useWords(SESSION);
  const inWords = useProblemWords();
  const cache = useQueryClient();
  const me = useMe();
  const [typed, setTyped] = useState(NONE);
  const asked = useMutation({
    mutationFn: () => answered(api.POST("/api/auth/password", { body: { old: typed.old, new: typed.fresh } })),
    onSuccess: (who) => {
      toast(saySession("changed"));
      setTyped(NONE);
      cache.setQueryData(["me"], who);
      void cache.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
  const isWrongOld = asked.error instanceof Problem && asked.error.code === "wrong_credentials";
  const isShort = typed.fresh !== "" && typed.fresh.length < SHORTEST;
  const isOther = typed.again !== "" && typed.again !== typed.fresh;
  const isReady = typed.old !== "" && typed.fresh.length >= SHORTEST && typed.again === typed.fresh;
  const change = (name: keyof typeof NONE) => ({ value: typed[name], onChange: (event: { target: { value: string } }) => setTyped({ ...typed, [name]: event.target.value }) });
  return (
    <Panel title={say("password")}>
      <form
        className="grid max-w-96 gap-3 p-3"
        onSubmit={(event) => {
          event.preventDefault();
          asked.mutate();
        }}
      >
        <input type="hidden" name="username" autoComplete="username" value={me.name} readOnly />
        <Field label={saySession("oldPassword")} type="password" {...change("old")} error={isWrongOld ? saySession("wrongOld") : undefined} autoComplete="current-password" required />
        <Field label={saySession("newPassword")} type="password" {...change("fresh")} hint={say("passwordHint")} error={isShort ? saySession("short") : undefined} autoComplete="new-password" required />
        <Field label={saySession("newAgain")} type="password" {...change("again")} error={isOther ? saySession("different") : undefined} autoComplete="new-password" required />
        {asked.error && !isWrongOld && (
          <p role="alert" className="text-xs text-bad">
            {inWords(asked.error)}
          </p>
        )}
        <div>
          <Button type="submit" kind="primary" busy={asked.isPending} disabled={!isReady}>
            {saySession("change")}
          </Button>
        </div>
      </form>
    </Panel>
  );
}
