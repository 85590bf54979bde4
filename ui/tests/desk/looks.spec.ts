import type { Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, live, test } from "./desk";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];

/** Every page, with what it looks like when there is something to see. Who adds a page adds it here. */
const PAGES = ["/", "/service?name=trading", "/instance?service=trading&instance=trading-1", "/leases", "/leases?service=trading&key=paper", "/no-such-page"];
const LOOKS = [
  { theme: "dark", language: "en", width: 1280, height: 800 },
  { theme: "light", language: "zh", width: 1280, height: 800 },
  { theme: "dark", language: "zh", width: 390, height: 844 },
  { theme: "light", language: "en", width: 390, height: 844 },
];

for (const look of LOOKS) {
  test(`pages are whole and can be used by all: ${look.theme}, ${look.language}, ${look.width} px`, async ({ page }) => {
    await page.setViewportSize(look);
    await page.addInitScript((set) => localStorage.setItem("aegis.preferences", JSON.stringify(set)), look);
    for (const path of PAGES) {
      await page.goto(path);
      await live(page);
      await expect(page.locator("main").getByRole("status")).toHaveCount(0);
      expect(await clipped(page), path).toEqual([]);
      expect(await violations(page), path).toEqual([]);
    }
  });
}

/** What is wider than its place: the page itself, and texts that are cut off and cannot be scrolled to. */
async function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const root = document.documentElement;
    const found = root.scrollWidth > root.clientWidth ? [`the page by ${root.scrollWidth - root.clientWidth}`] : [];
    for (const one of document.querySelectorAll<HTMLElement>("main *, header *, footer *, nav *")) {
      const style = getComputedStyle(one);
      if (one.scrollWidth <= one.clientWidth + 1 || style.overflowX === "visible" || style.display === "inline") continue;
      if (one.classList.contains("sr-only") || one.closest("[title]") || one.querySelector("[title]")) continue;
      found.push(`${one.tagName} ${one.textContent?.slice(0, 40)} by ${one.scrollWidth - one.clientWidth}`);
    }
    return found;
  });
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE); // not as a script of the page, which its policy would refuse
  const found = await page.evaluate(async (rules) => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    return (await axe.run({ runOnly: rules })).violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
  }, RULES);
  return found;
}
