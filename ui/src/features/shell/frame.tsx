"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import { type ReactNode, useEffect, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { cx } from "@/components/ui/cx";
import { Icon } from "@/components/ui/icons";
import { prefer, useLightOnPaper, usePreferences } from "@/lib/preferences";
import { useTitle } from "@/lib/title";
import { useWords } from "@/lib/words";
import { AccountMenu } from "./account-menu";
import { type Environment, EnvironmentBadge, useEnvironment } from "./environment";
import { Palette } from "./palette";
import type { Page } from "./pages";
import { ConnectionBanner, StatusBar } from "./status";
import { usePages } from "./use-pages";
import { SHELL } from "./words";

/** Navigation on the left, what is always to be seen above, the state of the connection below. */
export function Frame({ children }: { children: ReactNode }) {
  const say = useWords(SHELL);
  const environment = useEnvironment();
  const pages = usePages();
  const path = usePathname();
  const page = pages.find((one) => isAt(one, path));
  useLightOnPaper();
  useTitle("page", page ? say(page.name) : "");
  useTitle("environment", say(`env.${environment}`));
  const [isOpen, setOpen] = useState(false);
  const [isSearching, setSearching] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setSearching(true);
      } else if (event.key === "Escape") setOpen(false);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return (
    <div className={cx("flex h-dvh flex-col print:block print:h-auto", environment === "live" && "border-t-2 border-t-bad")}>
      <a href="#content" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-panel focus:px-3 focus:py-2">
        {say("skip")}
      </a>
      <TopBar environment={environment} onMenu={() => setOpen(!isOpen)} isOpen={isOpen} onSearch={() => setSearching(true)} />
      <ConnectionBanner />
      <div className="flex min-h-0 grow print:block">
        <Navigation isOpen={isOpen} onGo={() => setOpen(false)} />
        <main id="content" tabIndex={-1} className="min-w-0 grow overflow-x-hidden overflow-y-auto p-3 outline-none md:p-4 print:overflow-visible">
          <div className="mx-auto grid max-w-[1680px] grid-cols-[minmax(0,1fr)] gap-3">{children}</div>
        </main>
      </div>
      <StatusBar />
      {isSearching && <Palette onClose={() => setSearching(false)} />}
    </div>
  );
}

function isAt(page: Page, path: string): boolean {
  return path === page.href || Boolean(page.covers?.includes(path));
}

function TopBar({ environment, onMenu, isOpen, onSearch }: { environment: Environment; onMenu: () => void; isOpen: boolean; onSearch: () => void }) {
  const say = useWords(SHELL);
  const { theme, language } = usePreferences();
  return (
    <header className="flex h-11 shrink-0 items-center gap-1.5 border-b bg-panel px-2 md:px-3 print:hidden">
      <IconButton icon="menu" label={say("menu")} aria-expanded={isOpen} onClick={onMenu} className="lg:hidden" />
      <Link href="/" className="flex items-center gap-2 pr-1 text-sm font-semibold tracking-[0.02em] lg:w-[180px]">
        {/* eslint-disable-next-line @next/next/no-img-element -- a file of ours, of 400 bytes */}
        <img src="/icon.svg" alt="" width={20} height={20} />
        Aegis
      </Link>
      <EnvironmentBadge of={environment} />
      <button type="button" onClick={onSearch} aria-keyshortcuts="Control+K" className="ml-auto flex h-7 items-center gap-2 rounded-sm border border-strong bg-field px-2 text-xs text-faint hover:border-faint md:w-64">
        <Icon name="search" size={14} />
        <span className="max-md:sr-only">{say("palette")}</span>
        <kbd className="figure ml-auto text-2xs max-md:hidden">Ctrl K</kbd>
      </button>
      <IconButton icon={theme === "dark" ? "sun" : "moon"} label={say(theme === "dark" ? "toLight" : "toDark")} onClick={() => prefer({ theme: theme === "dark" ? "light" : "dark" })} className="max-sm:hidden" />
      <button type="button" title={say("toOther")} aria-label={`${language === "zh" ? "EN" : "中"} · ${say("toOther")}`} onClick={() => prefer({ language: language === "zh" ? "en" : "zh" })} className="h-7 w-8 rounded-sm text-xs text-soft hover:bg-raised hover:text-text max-sm:hidden">
        {language === "zh" ? "EN" : "中"}
      </button>
      <AccountMenu />
    </header>
  );
}

function Navigation({ isOpen, onGo }: { isOpen: boolean; onGo: () => void }) {
  const say = useWords(SHELL);
  const path = usePathname();
  const pages = usePages();
  const groups = [...new Set(pages.map((page) => page.group))];
  const isCurrent = (page: Page) => isAt(page, path);
  return (
    <nav
      aria-label={say("navigation")}
      className={cx("w-[196px] shrink-0 overflow-y-auto border-r bg-panel py-2 max-lg:fixed max-lg:top-11 max-lg:bottom-7 max-lg:z-30 max-lg:shadow-2xl print:hidden", !isOpen && "max-lg:hidden")}
    >
      {groups.map((group) => (
        <div key={group} className="mb-2">
          <p className="label px-4 py-1">{say(group)}</p>
          <ul>
            {pages
              .filter((page) => page.group === group)
              .map((page) => (
                <li key={page.href}>
                  <Link
                    href={page.href}
                    onClick={onGo}
                    aria-current={isCurrent(page) ? "page" : undefined}
                    className={cx(
                      "flex h-8 items-center gap-2.5 border-l-2 pr-3 pl-3.5 text-[13px] focus-visible:-outline-offset-2",
                      isCurrent(page) ? "border-l-accent bg-raised font-medium text-text" : "border-l-transparent text-soft hover:bg-raised/60 hover:text-text",
                    )}
                  >
                    <Icon name={page.icon} />
                    {say(page.name)}
                  </Link>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
