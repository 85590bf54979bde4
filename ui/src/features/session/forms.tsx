"use client";

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { useProblemWords } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { answered, api } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import { prefer, usePreferences } from "@/lib/preferences";
import { useWords } from "@/lib/words";
import { Gate } from "./gate";
import type { Me } from "./session";
import { SESSION } from "./words";

const SHORTEST = 12;

export function SignIn({ onDone }: { onDone: (me: Me) => void }) {
  const say = useWords(SESSION);
  const inWords = useProblemWords();
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const asked = useMutation({
    mutationFn: () => answered(api.POST("/api/auth/sign-in", { body: { user, password } })),
    onSuccess: onDone,
  });
  return (
    <Gate title={say("title")} note={say("subtitle")}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          asked.mutate();
        }}
      >
        <Field label={say("user")} name="user" value={user} onChange={(event) => setUser(event.target.value)} autoComplete="username" required autoFocus />
        <Field label={say("password")} name="password" type="password" value={password} onChange={(event) => setPassword(event.target.value)} autoComplete="current-password" required />
        {asked.error && (
          <p role="alert" className="text-xs text-bad">
            {inWords(asked.error)}
          </p>
        )}
        <Button type="submit" kind="primary" busy={asked.isPending} className="h-8!">
          {say("signIn")}
        </Button>
        <p className="text-xs text-faint">{say("firstHint")}</p>
      </form>
      <LanguageLine />
    </Gate>
  );
}

/** The first password is good for this only. */
export function ChangePassword({ user, onDone }: { user: string; onDone: (me: Me) => void }) {
  const say = useWords(SESSION);
  const inWords = useProblemWords();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const asked = useMutation({
    mutationFn: () => answered(api.POST("/api/auth/password", { body: { old, new: fresh } })),
    onSuccess: (me) => {
      toast(say("changed"));
      onDone(me);
    },
  });
  const isWrongOld = asked.error instanceof Problem && asked.error.code === "wrong_credentials";
  const isShort = fresh !== "" && fresh.length < SHORTEST;
  const isOther = again !== "" && again !== fresh;
  return (
    <Gate title={say("changeTitle")} note={user}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          asked.mutate();
        }}
      >
        <p className="text-xs text-soft">{say("changeHint")}</p>
        <input type="hidden" name="username" autoComplete="username" value={user} readOnly />
        <Field label={say("oldPassword")} type="password" value={old} onChange={(event) => setOld(event.target.value)} error={isWrongOld ? say("wrongOld") : undefined} autoComplete="current-password" required autoFocus />
        <Field label={say("newPassword")} type="password" value={fresh} onChange={(event) => setFresh(event.target.value)} error={isShort ? say("short") : undefined} autoComplete="new-password" required />
        <Field label={say("newAgain")} type="password" value={again} onChange={(event) => setAgain(event.target.value)} error={isOther ? say("different") : undefined} autoComplete="new-password" required />
        {asked.error && !isWrongOld && (
          <p role="alert" className="text-xs text-bad">
            {inWords(asked.error)}
          </p>
        )}
        <Button type="submit" kind="primary" busy={asked.isPending} disabled={fresh.length < SHORTEST || again !== fresh} className="h-8!">
          {say("change")}
        </Button>
      </form>
    </Gate>
  );
}

function LanguageLine() {
  const { language } = usePreferences();
  const isChinese = language === "zh";
  return (
    <button type="button" lang={isChinese ? "en" : "zh-CN"} onClick={() => prefer({ language: isChinese ? "en" : "zh" })} className="mt-4 text-xs text-soft underline underline-offset-2 hover:text-text">
      {isChinese ? "English" : "中文"}
    </button>
  );
}
