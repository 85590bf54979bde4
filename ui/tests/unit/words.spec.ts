import { expect, test } from "@playwright/test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { PROBLEM_REASONS } from "../../src/components/ui/problem-words";
import { REASON_WORDS } from "../../src/features/market/reason-words";
import { TOPICS } from "../../src/features/shell/status";
import { FIGURES, REASONS } from "../../src/features/trading/reason-words";
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

/** The codes of a table of the services, with the places that each sentence has. */
function coded(source: string, table: string): Map<string, string[]> {
  const text = readFileSync(new URL(`../../../services/src/aegis/${source}`, import.meta.url), "utf8");
  const body = text.slice(text.indexOf(`${table}: Final`)).split("\n}\n")[0]!;
  const entries = [...body.matchAll(/^ {4}"(\w+)": ((?:"[^"]*"\s*)+),$/gm)];
  expect(entries.length).toBe(body.match(/^ {4}"\w+":/gm)!.length);
  return new Map(entries.map((one) => [one[1]!, places(one[2]!)]));
}

for (const [source, table, words] of [
  ["contracts/reasons.py", "SENTENCES", REASON_WORDS],
  ["contracts/reasons.py", "REFUSALS", PROBLEM_REASONS],
  ["contracts/order_reasons.py", "FIGURES", REASONS],
  ["management/problems.py", "REASONS", PROBLEM_REASONS],
] as const) {
  test(`every code of ${source}, ${table}, has words in both languages, of what comes with it`, () => {
    const codes = coded(source, table);
    expect(codes.size).toBeGreaterThan(15);
    for (const [code, given] of codes) {
      for (const { [code]: said } of [words.en, words.zh] as Record<string, string>[]) {
        expect(said, code).toBeDefined();
        expect(places(said!).filter((place) => !given.includes(place)), code).toEqual([]);
      }
    }
  });
}

test("the figures of a refused order are those that come with it", () => {
  const codes = coded("contracts/order_reasons.py", "FIGURES");
  for (const [code, said] of Object.entries(FIGURES.en)) expect(places(said).filter((place) => !codes.get(code)?.includes(place)), code).toEqual([]);
});

test("every reason why a key is not moved is said in words", () => {
  const text = readFileSync(new URL("../../../sdk/src/aegis_sdk/key_moves.py", import.meta.url), "utf8");
  const reasons = [...text.matchAll(/NotDone\(\s*"(\w+)"/g)].map((found) => found[1]!);
  expect(reasons.length).toBeGreaterThan(5);
  expect(reasons.filter((one) => !(one in PROBLEM_REASONS.en))).toEqual([]);
});

test("every topic that a page follows has a name", () => {
  const text = files.filter((name) => /\.tsx?$/.test(name)).map((name) => readFileSync(join(SOURCES, name), "utf8")).join("");
  const topics = new Set([...text.matchAll(/use(?:Topic|Rows)(?:<[^(]*>)?\([^"`)]*["`](\w+)/g)].map((found) => found[1]!));
  expect([...topics].sort()).toEqual(Object.keys(TOPICS).sort());
});

const SAYS = new Set(["title", "label", "placeholder", "aria-label", "alt", "note", "action", "empty", "error"]);
const OF_A_COLUMN = new Set(["title", "label", "note"]);
/** Names, keys of the keyboard, and the other language in its own words. */
const NAMES = new Set(["Aegis", "Ctrl", "EN", "English", "中", "中文", "p50", "p99"]);

/** What a component says in words of its own: as text, in an attribute that is read, in a column, in a toast. */
function spoken(source: string): string[] {
  const found: string[] = [];
  const tree = ts.createSourceFile("component.tsx", source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const texts = (node: ts.Node | undefined): string[] => {
    if (!node) return [];
    if (ts.isStringLiteralLike(node) || ts.isJsxText(node)) return [node.text];
    if (ts.isTemplateExpression(node)) return [node.head.text, ...node.templateSpans.flatMap((one) => [...texts(one.expression), one.literal.text])];
    if (ts.isJsxExpression(node) || ts.isParenthesizedExpression(node)) return texts(node.expression);
    if (ts.isConditionalExpression(node)) return [...texts(node.whenTrue), ...texts(node.whenFalse)];
    if (!ts.isBinaryExpression(node)) return [];
    switch (node.operatorToken.kind) {
      case ts.SyntaxKind.AmpersandAmpersandToken:
        return texts(node.right);
      case ts.SyntaxKind.BarBarToken:
      case ts.SyntaxKind.QuestionQuestionToken:
      case ts.SyntaxKind.PlusToken:
        return [...texts(node.left), ...texts(node.right)];
      default:
        return [];
    }
  };
  const look = (node: ts.Node): void => {
    const isChild = ts.isJsxText(node) || (ts.isJsxExpression(node) && (ts.isJsxElement(node.parent) || ts.isJsxFragment(node.parent)));
    if (isChild) found.push(...texts(node));
    else if (ts.isJsxAttribute(node) && SAYS.has(node.name.getText())) found.push(...texts(node.initializer));
    else if (ts.isPropertyAssignment(node) && OF_A_COLUMN.has(node.name.getText())) found.push(...texts(node.initializer).filter((text) => !/^[a-z]+$/.test(text))); // a key of words
    else if (ts.isCallExpression(node) && node.expression.getText() === "toast") found.push(...texts(node.arguments[0]));
    ts.forEachChild(node, look);
  };
  look(tree);
  return found.flatMap((text) => text.match(/[\p{L}\d]+/gu) ?? []).filter((word) => /\p{L}{2}|^\p{Script=Han}$|^p\d/u.test(word) && !NAMES.has(word));
}

test("no component says words of its own", () => {
  for (const file of files.filter((name) => name.endsWith(".tsx"))) {
    expect(spoken(readFileSync(join(SOURCES, file), "utf8")), file).toEqual([]);
  }
});

test("words of a component's own are found wherever they stand", () => {
  const says = (source: string) => spoken(`const x = ${source};`).join(" ");
  expect(says("<span>Orders</span>")).toBe("Orders");
  expect(says('<p>{"No orders yet"}</p>')).toBe("No orders yet");
  expect(says('toast("Saved")')).toBe("Saved");
  expect(says("<h2>Cancel All</h2>")).toBe("Cancel All");
  expect(says("<Field label={`Price of ${one}`} />")).toBe("Price of");
  expect(says('<p>{isOld ? "old" : say("fresh")} {count > 0 && "some"}</p>')).toBe("old some");
  expect(says('{ key: "lots", title: "Lots" }')).toBe("Lots");
  expect(says("<p>全部</p>")).toBe("全部");
  expect(says('<p className="grid gap-3" id={`of-${one}`}>{say("key")} {is === "open" && <b>–</b>} ·</p>')).toBe("");
});

function places(text: string): string[] {
  return (text.match(/\{\w+\}/g) ?? []).sort();
}
