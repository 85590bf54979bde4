import { expect, test } from "@playwright/test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SOURCES = new URL("../../src", import.meta.url).pathname;
const CSS = readFileSync(join(SOURCES, "app/globals.css"), "utf8");
const LEAST = 4.5; // WCAG 2.1, 1.4.3
const TEXTS = ["text", "soft", "faint", "accent", "warn", "bad", "red", "green"];
const UNDER = ["ground", "panel", "raised", "field"];

type Colour = [number, number, number];
type Theme = Map<string, Colour>;

function themeOf(name: string): Theme {
  const block = new RegExp(`\\[data-theme="${name}"\\] \\{([^}]*)`).exec(CSS)![1]!;
  return new Map([...block.matchAll(/--([\w-]+): #([0-9a-f]{6});/g)].map(([, token, hex]) => [token!, [0, 2, 4].map((at) => parseInt(hex!.slice(at, at + 2), 16)) as Colour]));
}

function luminance(colour: Colour): number {
  const [r, g, b] = colour.map((one) => (one <= 10 ? one / 3294.6 : ((one / 255 + 0.055) / 1.055) ** 2.4)) as Colour;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: Colour, b: Colour): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function tinted(over: Colour, tint: Colour, share: number): Colour {
  return over.map((one, at) => one + (tint[at]! - one) * share) as Colour;
}

/** Where a class names both: the colour of the text, what is under it, and how much of that covers what is below. */
function pairs(): { file: string; text: string; under: string; share: number }[] {
  const components = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tsx"));
  return components.flatMap((file) =>
    [...readFileSync(join(SOURCES, file), "utf8").matchAll(/"[^"\n]*"|`[^`\n]*`/g)].flatMap(([classes]) => {
      const under = /(?<![\w:-])bg-([a-z-]+)(?:\/(\d+))?(?![\w-])/.exec(classes);
      const texts = [...classes.matchAll(/(?<![\w:-])text-([a-z-]+)(?![\w-])/g)].map((one) => one[1]!);
      return under ? texts.map((text) => ({ file, text, under: under[1]!, share: Number(under[2] ?? 100) / 100 })) : [];
    }),
  );
}

for (const name of ["dark", "light"]) {
  const theme = themeOf(name);
  const named = (token: string): Colour[] => (token === "up" || token === "down" ? ["red", "green"] : [token]).map((one) => theme.get(one)).filter((one) => one !== undefined);

  test(`text can be read on all that is below it, in the ${name} theme`, () => {
    for (const text of TEXTS) for (const under of UNDER) expect(contrast(theme.get(text)!, theme.get(under)!), `${text} on ${under}`).toBeGreaterThanOrEqual(LEAST);
  });

  test(`text can be read on a colour or a tint of its own, in the ${name} theme`, () => {
    const found = pairs();
    expect(found.length).toBeGreaterThan(20);
    for (const { file, text, under, share } of found) {
      for (const colour of named(text)) {
        for (const tint of named(under)) {
          for (const below of UNDER) {
            expect(contrast(colour, tinted(theme.get(below)!, tint, share)), `${file}: ${text} on ${under} over ${below}`).toBeGreaterThanOrEqual(LEAST);
          }
        }
      }
    }
  });
}

test("no component has a colour beside those of the themes", () => {
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((one) => one.endsWith(".tsx"))) {
    expect(readFileSync(join(SOURCES, file), "utf8"), file).not.toMatch(/(?:text|bg|border)-\[#|text-(?:text|soft|faint|accent|warn|bad|up|down)\/\d/);
  }
});
