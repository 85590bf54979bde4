"use client";

import { useCallback } from "react";
import { usePreferences } from "./preferences";

/** The words of a feature in both languages: the same keys, the same {places}. */
export interface Words<K extends string> {
  en: Record<K, string>;
  zh: Record<K, string>;
}

export type Say<K extends string> = (key: K, places?: Record<string, string | number>) => string;

export function words<K extends string>(en: Record<K, string>, zh: Record<NoInfer<K>, string>): Words<K> {
  return { en, zh };
}

export function filled(text: string, places: Record<string, string | number> = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(places[name] ?? whole));
}

/** The words in the language that is set: const say = useWords(WORDS); say("title", { count: 3 }). */
export function useWords<K extends string>(of: Words<K>): Say<K> {
  const { language } = usePreferences();
  return useCallback((key, places) => filled(of[language][key], places), [of, language]);
}
