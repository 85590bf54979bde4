"use client";

import { useRouter } from "next/navigation";
import { type KeyboardEvent, useMemo, useState } from "react";
import { cx } from "@/components/ui/cx";
import { Dialog } from "@/components/ui/dialog";
import { useSignOut } from "@/features/session/session";
import { useAccounts } from "@/features/trading/accounts";
import { useContracts } from "@/features/trading/model";
import type { Instance, Lease } from "@/lib/api/client";
import { useRows } from "@/lib/live/hooks";
import { prefer, usePreferences } from "@/lib/preferences";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import { ranked } from "./ranking";
import { usePages } from "./use-pages";
import { SHELL } from "./words";

interface Command {
  id: string;
  kind: "page" | "instance" | "key" | "account" | "contract" | "action";
  name: string;
  run: () => void;
}

const MOST_SHOWN = 40;

/** Go anywhere, to accounts and contracts too, or do what has no other place, by typing (Ctrl-K). */
export function Palette({ onClose }: { onClose: () => void }) {
  const say = useWords(SHELL);
  const commands = useCommands();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = useMemo(() => ranked(commands, (one) => one.name, text).slice(0, MOST_SHOWN), [commands, text]);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      const next = (at + step + found.length) % found.length;
      setAt(next);
      document.getElementById(`command-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(found[at]);
    }
  };
  return (
    <Dialog title={say("palette")} onClose={onClose} className="mt-[12dvh]! w-[min(600px,calc(100vw-24px))]!">
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={found.length ? `command-${at}` : undefined}
        aria-label={say("palette")}
        placeholder={say("paletteHint")}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        data-focus
        autoComplete="off"
        spellCheck={false}
        className="h-11 w-full border-b bg-transparent px-4 text-sm outline-none placeholder:text-faint focus-visible:outline-none"
      />
      <ul id="commands" role="listbox" aria-label={say("palette")} className="max-h-[50dvh] overflow-y-auto py-1">
        {found.map((command, index) => (
          <li
            key={command.id}
            id={`command-${index}`}
            role="option"
            aria-selected={index === at}
            onPointerMove={() => setAt(index)}
            onClick={() => run(command)}
            className={cx("flex h-8 cursor-pointer items-center justify-between gap-4 px-4 text-sm", index === at && "bg-raised")}
          >
            <span className="truncate">{command.name}</span>
            <span className="label shrink-0">{say(`kind.${command.kind}`)}</span>
          </li>
        ))}
      </ul>
      {!found.length && <p className="px-4 pb-4 text-xs text-faint">{say("paletteNone")}</p>}
    </Dialog>
  );
}

function useCommands(): Command[] {
  const say = useWords(SHELL);
  const router = useRouter();
  const pages = usePages();
  const signOut = useSignOut();
  const { theme, language } = usePreferences();
  const { rows: instances } = useRows<Instance>("instances");
  const { rows: leases } = useRows<Lease>("leases");
  const { names } = useAccounts();
  const contracts = useContracts();
  return [
    ...pages.map((page): Command => ({ id: page.href, kind: "page", name: say(page.name), run: () => router.push(page.href) })),
    ...instances.map(({ service, instance }): Command => ({
      id: `instance ${service} ${instance}`,
      kind: "instance",
      name: `${service} / ${instance}`,
      run: () => router.push(to("/instance", { service, instance })),
    })),
    ...leases.map(({ service, key }): Command => ({
      id: `key ${service} ${key}`,
      kind: "key",
      name: `${service} / ${key}`,
      run: () => router.push(to("/leases", { service, key })),
    })),
    ...names.map((account): Command => ({ id: `account ${account}`, kind: "account", name: account, run: () => router.push(to("/trading", { account })) })),
    ...[...contracts.values()].map(({ instrument, name }): Command => ({
      id: `contract ${instrument}`,
      kind: "contract",
      name: `${instrument} ${name}`,
      run: () => router.push(to("/market", { instrument })),
    })),
    {
      id: "theme",
      kind: "action",
      name: say(theme === "dark" ? "toLight" : "toDark"),
      run: () => prefer({ theme: theme === "dark" ? "light" : "dark" }),
    },
    {
      id: "language",
      kind: "action",
      name: say("toOther"),
      run: () => prefer({ language: language === "zh" ? "en" : "zh" }),
    },
    { id: "sign-out", kind: "action", name: say("signOut"), run: signOut },
  ];
}
