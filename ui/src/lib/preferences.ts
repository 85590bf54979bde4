"use client";

import { useEffect, useSyncExternalStore } from "react";

/** What a person has set in this browser. The script in the document's head applies it before the first paint. */
export interface Preferences {
  theme: "dark" | "light";
  language: "en" | "zh";
  zone: "local" | "exchange" | "utc";
  /** The colour of a price that rises; `auto`: red in Chinese, green in English. */
  rise: "auto" | "red" | "green";
}

export const PREFERENCES_KEY = "aegis.preferences";
const USUAL: Preferences = { theme: "dark", language: "en", zone: "exchange", rise: "auto" };
const KNOWN: { [K in keyof Preferences]: readonly Preferences[K][] } = {
  theme: ["dark", "light"],
  language: ["en", "zh"],
  zone: ["local", "exchange", "utc"],
  rise: ["auto", "red", "green"],
};

let current: Preferences | null = null;
const listeners = new Set<() => void>();

/** Read what is stored; a browser that speaks Chinese begins in Chinese. */
function stored(): Preferences {
  const language = navigator.language.startsWith("zh") ? "zh" : "en";
  try {
    return understood(JSON.parse(localStorage.getItem(PREFERENCES_KEY) ?? "{}"), { ...USUAL, language });
  } catch {
    return { ...USUAL, language };
  }
}

/** What another release has stored may be of others that we do not know. */
export function understood(said: unknown, usual: Preferences): Preferences {
  const known = Object.entries(said ?? {}).filter(([name, value]) => name in KNOWN && (KNOWN[name as keyof Preferences] as readonly unknown[]).includes(value));
  return { ...usual, ...Object.fromEntries(known) };
}

export function preferences(): Preferences {
  return (current ??= stored());
}

export function prefer(change: Partial<Preferences>): void {
  current = { ...preferences(), ...change };
  try {
    localStorage.setItem(PREFERENCES_KEY, JSON.stringify(current));
  } catch {
    // a browser that stores nothing: it is so for this page
  }
  changed();
}

function changed(): void {
  apply(preferences());
  listeners.forEach((listener) => listener());
}

/** Another tab has set something. */
function elsewhere(event: StorageEvent): void {
  if (event.key !== PREFERENCES_KEY) return;
  current = null;
  changed();
}

export function apply({ theme, language, rise }: Preferences): void {
  const root = document.documentElement;
  root.dataset.theme = theme;
  root.dataset.rise = rise === "auto" ? (language === "zh" ? "red" : "green") : rise;
  root.lang = language === "zh" ? "zh-CN" : "en";
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences, () => USUAL);
}

function subscribe(listener: () => void): () => void {
  if (!listeners.size) window.addEventListener("storage", elsewhere);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (!listeners.size) window.removeEventListener("storage", elsewhere);
  };
}

/** Paper is light: dark text is what can be read on it. */
export function useLightOnPaper(): void {
  useEffect(() => {
    const light = () => apply({ ...preferences(), theme: "light" });
    const back = () => apply(preferences());
    window.addEventListener("beforeprint", light);
    window.addEventListener("afterprint", back);
    return () => {
      window.removeEventListener("beforeprint", light);
      window.removeEventListener("afterprint", back);
    };
  }, []);
}

/** The script of the document's head: the same as `apply`, before anything is shown. */
export const FIRST_PAINT = `try{var p=JSON.parse(localStorage.getItem("${PREFERENCES_KEY}")||"{}")}catch(e){p={}}
var r=document.documentElement,z=(p.language||(navigator.language.indexOf("zh")?"en":"zh"))=="zh";
r.dataset.theme=p.theme||"dark";r.lang=z?"zh-CN":"en";r.dataset.rise=p.rise&&p.rise!="auto"?p.rise:z?"red":"green";`;
