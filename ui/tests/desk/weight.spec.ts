import { expect, test } from "@playwright/test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const SITE = new URL("../../../services/src/aegis/management/site", import.meta.url).pathname;
const MOST_KIB = 350;

test("no page asks for more than 350 KiB of scripts before it is there", () => {
  const pages = readdirSync(SITE).filter((name) => name.endsWith(".html"));
  expect(pages).toContain("index.html");
  for (const page of pages) {
    const tags = readFileSync(join(SITE, page), "utf8").match(/<script[^>]*\bsrc="[^"]+"[^>]*>/g) ?? [];
    const sources = tags.filter((tag) => !/\bnomodule/i.test(tag)).map((tag) => /\bsrc="([^"?]+)/.exec(tag)![1]!);
    expect(sources.length, page).toBeGreaterThan(0);
    const bytes = [...new Set(sources)].reduce((sum, source) => sum + gzipSync(readFileSync(join(SITE, source))).length, 0);
    expect(bytes / 1024, page).toBeLessThan(MOST_KIB);
    if (page === "index.html") console.log(`the overview asks for ${(bytes / 1024).toFixed(0)} KiB of scripts, gzipped`); // eslint-disable-line no-console
  }
});
