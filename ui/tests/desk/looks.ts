import { expect, type Page } from "@playwright/test";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { clipped } from "./clipping";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
/** A directory for what is looked at by a person: a picture of each page in each look. */
const PICTURES = process.env.AEGIS_CONSOLE_PICTURES;

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

interface Look {
  theme: "dark" | "light";
  language: "en" | "zh";
  sizes: readonly { width: number; height: number }[];
}

/** Each theme with a language, at both widths; all rules of axe at the first of them, where it is not only the colours that differ. */
export const LOOKS = [
  { theme: "dark", language: "en", sizes: [WIDE, NARROW] },
  { theme: "light", language: "zh", sizes: [NARROW, WIDE] },
] as const;

/** The half of them, for what would take as long again: each theme, language and width once. */
export const GLANCES: readonly Look[] = [
  { theme: "dark", language: "en", sizes: [WIDE] },
  { theme: "light", language: "zh", sizes: [NARROW] },
];

/** Change the look of a page as another tab would; one that it has already stays. */
export async function wear(page: Page, { theme, language }: { theme: "dark" | "light"; language: "en" | "zh" }): Promise<void> {
  const lang = language === "zh" ? "zh-CN" : "en";
  if (await page.evaluate((is) => document.documentElement.matches(is), `[data-theme=${theme}][lang=${lang}]`)) return;
  await page.evaluate((newValue) => {
    localStorage.setItem("aegis.preferences", newValue);
    window.dispatchEvent(new StorageEvent("storage", { key: "aegis.preferences", newValue }));
  }, JSON.stringify({ theme, language }));
  await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
  await expect(page.locator("html")).toHaveAttribute("lang", lang);
  await page.evaluate(painted);
}

/** All colours are those of the look: also a transition that takes no time begins with the ones before it. */
async function painted(): Promise<void> {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  await frame();
  await frame();
  await Promise.allSettled(document.getAnimations().map((one) => one instanceof CSSTransition && one.finished));
}

/** Both themes and languages at both widths: nothing is cut off, nothing against the rules of axe, nothing in another language. */
export async function lookAt(page: Page, name: string, part = "body", looks: readonly Look[] = LOOKS): Promise<void> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE); // not as a script of the page, which its policy would refuse
  await page.locator("[data-testid=toasts] button").evaluateAll((all) => (all as HTMLElement[]).forEach((one) => one.click())); // what was told so far is in the language of then
  for (const look of looks) {
    await page.setViewportSize(look.sizes[0]!);
    await wear(page, look);
    for (const size of look.sizes) {
      const of = `${name}, ${look.theme}, ${look.language}, ${size.width} px`;
      await page.setViewportSize(size);
      await picture(page, name, `${look.theme}-${look.language}-${size.width}`);
      expect.soft(await clipped(page), of).toEqual([]);
      expect.soft(await violations(page, part, size === look.sizes[0]), of).toEqual([]);
      if (look.language === "zh") expect.soft(await foreign(page), of).toEqual([]);
    }
  }
}

/** The same in half of the looks, where a test comes by it; the page goes on as it was: dark, wide and in English. */
export async function glanceAt(page: Page, name: string, part = "dialog"): Promise<void> {
  await lookAt(page, name, part, GLANCES);
  await page.setViewportSize(WIDE);
  await wear(page, LOOKS[0]);
}

async function picture(page: Page, name: string, look: string): Promise<void> {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  const file = name.replaceAll(/\W+/g, "-").replaceAll(/^-|-$/g, "") || "overview";
  await page.screenshot({ path: join(PICTURES, `${file}-${look}.png`) });
}

async function violations(page: Page, part: string, all: boolean): Promise<string[]> {
  return page.evaluate(
    async ([within, rules]) => {
      const { axe } = window as unknown as { axe: typeof import("axe-core") };
      const { violations: found } = await axe.run(within, { runOnly: rules, resultTypes: ["violations"] });
      return found.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
    },
    [part, all ? ALL_RULES : ["color-contrast"]] as [string, string[]],
  );
}

/** What is called so in Chinese, too: of this desk, of the platform, of the trade, of the browser. */
const NAMES = [
  ...["health", "management", "marketdata", "paper", "trading", "main", "desk", "local", "admin", "operator", "CFFEX", "CZCE", "DCE", "GFEX", "INE", "SHFE"],
  ...["Aegis", "aegis", "up", "English", "EN", "NATS", "JetStream", "API", "CPU", "CSV", "JSON", "ID", "UTC", "FAK", "FOK", "Ctrl", "TradingView", "Lightweight", "Charts", "HeadlessChrome", "Chrome", "Linux", "TICKS"],
  ...["ms", "KiB", "MiB", "GiB"],
];

/**
 * Words in Latin letters on a Chinese page. What has a digit or a sign in it is an identifier, and no word. Figures and identifiers stand in `figure`; what a person has written and what
 * a program has said in its own words is marked as not to be translated.
 */
export async function foreign(page: Page): Promise<string[]> {
  return page.evaluate((names) => {
    const found = new Set<string>();
    const look = (text: string) => {
      for (const [word] of text.matchAll(/[A-Za-z][\w./:@-]*/g)) {
        const plain = word.replace(/[./:@-]+$/, "");
        if (plain.length > 1 && !/[\d_./:@-]/.test(plain) && !names.includes(plain)) found.add(`${plain} (${text.trim().slice(0, 80)})`);
      }
    };
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const holder = node.parentElement!;
      if (holder.checkVisibility() && !holder.closest(".figure, time, pre, script, style, textarea, [translate=no], body [lang]")) look(node.textContent!);
    }
    for (const one of document.querySelectorAll("[aria-label], [placeholder]")) {
      if (one.closest("[translate=no], body [lang]")) continue;
      look(one.getAttribute("aria-label") ?? "");
      look(one.getAttribute("placeholder") ?? "");
    }
    return [...found];
  }, NAMES);
}
