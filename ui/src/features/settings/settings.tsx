"use client";

import { Segments } from "@/components/ui/field";
import { PageHead } from "@/components/ui/panel";
import { useMay } from "@/features/session/session";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { Account } from "./account";
import { Tokens } from "./tokens";
import { Users } from "./users";
import { SETTINGS } from "./words";

const VIEWS = { account: Account, tokens: Tokens, users: Users };
type View = keyof typeof VIEWS;

/** One's own account and how the console looks; API tokens; for administrators all users. */
export function Settings() {
  const say = useWords(SETTINGS);
  const isAdmin = useMay("admin");
  const [asked, setView] = useUrlState("view", "account");
  const views = (Object.keys(VIEWS) as View[]).filter((view) => view !== "users" || isAdmin);
  const view = views.find((one) => one === asked) ?? "account";
  const Shown = VIEWS[view];
  return (
    <>
      <PageHead title={say("title")} actions={<Segments label={say("view")} value={view} onChange={setView} options={views.map((value) => ({ value, label: say(`view.${value}`) }))} />} />
      <Shown />
    </>
  );
}
