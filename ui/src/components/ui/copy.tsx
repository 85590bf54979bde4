"use client";

import { useWords } from "@/lib/words";
import { Button } from "./button";
import { toast } from "./toast";
import { UI } from "./words";

const PLAIN = /^[A-Za-z0-9_./:=@%+-]+$/;

/** A command line of these words, quoted for a shell where that is needed. */
export function commandLine(...parts: string[]): string {
  return parts.map((part) => (PLAIN.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** Copy a text; whether the browser lets us: over HTTP from another machine none does. */
export async function isCopied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Copies the command that does the same: <CopyCommand parts={["aegis", "handover", service, key]} />. An icon only in the head of a panel; a telephone has no shell to paste it into. */
export function CopyCommand({ parts }: { parts: string[] }) {
  const say = useWords(UI);
  const command = commandLine(...parts);
  const copy = async () => {
    if (await isCopied(command)) toast(`${say("copied")}: ${command}`);
    else toast(say("notCopied"), "bad", command);
  };
  return (
    <Button kind="quiet" icon="copy" className="max-sm:hidden in-[section>header]:px-1.5" title={command} onClick={() => void copy()}>
      <span className="in-[section>header]:sr-only">{say("copyCommand")}</span>
    </Button>
  );
}
