"use client";

import { useWords } from "@/lib/words";
import type { Entry } from "./entries";
import { AUDIT, WAYS } from "./words";

/** How somebody has shown who he is: "session 3fd2a0c14b7e9a10" in words; a way that we do not know as it is. */
export function Way({ of }: { of: string }) {
  const say = useWords(WAYS);
  const kind = of in WAYS.en ? of : of.split(" ", 1)[0]!;
  return (
    <>
      {kind in WAYS.en ? say(kind as keyof typeof WAYS.en) : kind} <span className="figure">{of.slice(kind.length + 1)}</span>
    </>
  );
}

/** Who did it: a user of the console, or of the machine that the command was given on. */
export function useWho(): (of: Pick<Entry, "who" | "way" | "address">) => string {
  const say = useWords(AUDIT);
  return ({ who, way, address }) => (who && who !== "_" ? who : way ? address : say("nobody"));
}
