"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext } from "react";
import { toast } from "@/components/ui/toast";
import { Failed, useProblemWords } from "@/components/ui/states";
import { answered, api, type Schemas } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import { includes, type Role } from "@/lib/roles";
import { useWords } from "@/lib/words";
import { ChangePassword, SignIn } from "./forms";
import { Gate } from "./gate";
import { SESSION } from "./words";

export type Me = Schemas["Me"];

const Context = createContext<Me | null>(null);

/** What is below is shown to who is signed in; others sign in here, and go on at the same address. */
export function Session({ children }: { children: ReactNode }) {
  const say = useWords(SESSION);
  const cache = useQueryClient();
  const me = useQuery({ queryKey: ["me"], queryFn: () => answered(api.GET("/api/auth/me")), retry: false, staleTime: Infinity });
  const isOut = me.error instanceof Problem && me.error.code === "not_signed_in";
  const enter = (who: Me) => {
    cache.removeQueries({ predicate: (query) => query.queryKey[0] !== "me" });
    cache.setQueryData(["me"], who);
  };
  if (isOut) return <SignIn onDone={enter} />;
  if (me.data?.must_change) return <ChangePassword user={me.data.name} onDone={enter} />;
  if (me.data) return <Context value={me.data}>{children}</Context>;
  if (me.error) {
    return (
      <Gate title="Aegis">
        <Failed error={me.error} onAgain={() => void me.refetch()} />
      </Gate>
    );
  }
  return (
    <p role="status" className="grid h-dvh place-items-center text-xs text-faint">
      {say("opening")}
    </p>
  );
}

export function useMe(): Me {
  const me = useContext(Context);
  if (!me) throw new Error("outside of <Session>");
  return me;
}

/** Whether who is signed in has at least this role: what he may not do is not offered. */
export function useMay(role: Role): boolean {
  return includes(useMe().role, role);
}

export function useSignOut(): () => void {
  const cache = useQueryClient();
  const inWords = useProblemWords();
  return () =>
    void answered(api.POST("/api/auth/sign-out"))
      .then(() => cache.resetQueries({ queryKey: ["me"] }))
      .catch((error: unknown) => toast(inWords(error), "bad"));
}
