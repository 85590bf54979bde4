import { expect, test } from "@playwright/test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Words } from "../../src/lib/words";

const SOURCES = new URL("../../src", import.meta.url).pathname;
const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });

for (const file of files.filter((name) => name.endsWith("words.ts") && name !== "lib/words.ts")) {
  test(`${file} says all in both languages`, async () => {
    const module: Record<string, Words<string>> = await import(join(SOURCES, file));
    for (const { en, zh } of Object.values(module)) {
      expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
      for (const key of Object.keys(en)) {
        expect(en[key], key).not.toBe("");
        expect(zh[key], key).not.toBe("");
        expect(places(zh[key]!), key).toEqual(places(en[key]!));
      }
    }
  });
}

test("no component says words of its own", () => {
  const spoken = />\s*[A-Z][a-z]+(?: [a-z]+)+[.<]|(?:title|label|placeholder|aria-label)="[A-Z][^"]*"/;
  for (const file of files.filter((name) => name.endsWith(".tsx"))) {
    const found = spoken.exec(readFileSync(join(SOURCES, file), "utf8"));
    expect(found?.[0] ?? "", file).toMatch(/^$|"Aegis"/);
  }
});

function places(text: string): string[] {
  return (text.match(/\{\w+\}/g) ?? []).sort();
}
