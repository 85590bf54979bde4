"use client";

import { Icon } from "@/components/ui/icons";
import { Menu } from "@/components/ui/menu";
import { useMe, useSignOut } from "@/features/session/session";
import { ROLE_WORDS } from "@/features/session/words";
import { type Preferences, prefer, usePreferences } from "@/lib/preferences";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

/** Who is signed in, and how the console looks to him. */
export function AccountMenu() {
  const say = useWords(SHELL);
  const sayRole = useWords(ROLE_WORDS);
  const me = useMe();
  const signOut = useSignOut();
  const set = usePreferences();
  const choice = <K extends keyof Preferences>(name: K, value: Preferences[K], label: string) => ({
    label,
    checked: set[name] === value,
    onSelect: () => prefer({ [name]: value }),
  });
  return (
    <Menu
      label={`${me.name} · ${say("account")}`}
      button={
        <>
          <Icon name="user" />
          <span className="max-w-28 truncate max-sm:hidden">{me.name}</span>
        </>
      }
      groups={[
        { title: `${me.name} · ${sayRole(me.role)}`, items: [{ label: say("signOut"), onSelect: signOut }] },
        { title: say("theme"), items: [choice("theme", "dark", say("dark")), choice("theme", "light", say("light"))] },
        { title: say("language"), items: [choice("language", "en", "English"), choice("language", "zh", "中文")] },
        {
          title: say("zone"),
          items: (["exchange", "local", "utc"] as const).map((zone) => choice("zone", zone, say(`zone.${zone}`))),
        },
        {
          title: say("rise"),
          items: (["auto", "red", "green"] as const).map((rise) => choice("rise", rise, say(`rise.${rise}`))),
        },
      ]}
    />
  );
}
