"use client";

import { Segments } from "@/components/ui/field";
import { Fact, Facts, Panel } from "@/components/ui/panel";
import { Way } from "@/features/audit/way";
import { useMe } from "@/features/session/session";
import { ROLE_WORDS } from "@/features/session/words";
import { type Preferences, prefer, usePreferences } from "@/lib/preferences";
import { useNow, useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { PasswordPanel } from "./password-panel";
import { Sessions } from "./sessions";
import { SETTINGS } from "./words";

export function Account() {
  const say = useWords(SETTINGS);
  const sayRole = useWords(ROLE_WORDS);
  const me = useMe();
  return (
    <>
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-2">
        <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
          <Panel title={say("you")}>
            <Facts>
              <Fact label={say("name")}>{me.name}</Fact>
              <Fact label={say("role")}>{sayRole(me.role)}</Fact>
              <Fact label={say("way")}>
                <Way of={me.way} />
              </Fact>
            </Facts>
          </Panel>
          <Appearance />
        </div>
        <PasswordPanel />
      </div>
      <Sessions />
    </>
  );
}

function Appearance() {
  const say = useWords(SETTINGS);
  const set = usePreferences();
  const { moment } = useTimes();
  const now = useNow();
  const choice = <K extends keyof Preferences>(name: K, options: { value: Preferences[K]; label: string }[]) => (
    <Segments label={say(name)} value={set[name]} options={options} onChange={(value) => prefer({ [name]: value })} />
  );
  return (
    <Panel title={say("appearance")} note={say("appearanceNote")}>
      <Facts>
        <Fact label={say("theme")}>{choice("theme", (["dark", "light"] as const).map((value) => ({ value, label: say(value) })))}</Fact>
        <Fact label={say("language")}>
          {choice("language", [
            { value: "en", label: "English" },
            { value: "zh", label: "中文" },
          ])}
        </Fact>
        <Fact label={say("zone")}>
          {choice("zone", (["exchange", "local", "utc"] as const).map((value) => ({ value, label: say(`zone.${value}`) })))}
          <p className="mt-1 text-faint">{now > 0 && say("zoneNow", { moment: moment(now) })}</p>
        </Fact>
        <Fact label={say("rise")}>
          {choice("rise", (["auto", "red", "green"] as const).map((value) => ({ value, label: say(`rise.${value}`) })))}
          <p className="mt-1 flex gap-3 text-faint">
            {say("example")} <span className="figure text-up">3,142 +12</span> <span className="figure text-down">3,118 −12</span>
          </p>
        </Fact>
      </Facts>
    </Panel>
  );
}
