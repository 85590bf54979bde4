import { readdirSync } from "node:fs";
import { expect, test } from "./desk";

const SITE = new URL("../../../services/src/aegis/management/site", import.meta.url).pathname;
const MOST_BYTES = 350 * 1024;

/** What the desk sends of a file to who takes it packed, as browsers do. */
async function weighed(address: string): Promise<{ text: string; bytes: number }> {
  const answer = await fetch(address, { headers: { "Accept-Encoding": "gzip" } });
  expect(answer.headers.get("content-encoding"), address).toBe("gzip");
  return { text: await answer.text(), bytes: Number(answer.headers.get("content-length")) };
}

test("no page brings more than 350 KiB of scripts before it is there", async ({ desk }) => {
  const pages = readdirSync(SITE).filter((name) => name.endsWith(".html"));
  expect(pages).toContain("index.html");
  const bytes = new Map<string, number>();
  for (const page of pages) {
    const tags = (await weighed(`${desk.address}/${page}`)).text.match(/<script[^>]*\bsrc="[^"]+"[^>]*>/g) ?? [];
    const sources = new Set(tags.filter((tag) => !/\bnomodule/i.test(tag)).map((tag) => /\bsrc="([^"?]+)/.exec(tag)![1]!));
    expect(sources.size, page).toBeGreaterThan(0);
    for (const source of sources) if (!bytes.has(source)) bytes.set(source, (await weighed(desk.address + source)).bytes);
    expect([...sources].reduce((sum, source) => sum + bytes.get(source)!, 0), page).toBeLessThan(MOST_BYTES);
  }
});

test("the overview is there after no more than 350 KiB of scripts on the wire", async ({ page }) => {
  const session = await page.context().newCDPSession(page);
  const scripts = new Set<string>();
  let bytes = 0;
  session.on("Network.responseReceived", (one) => void (one.type === "Script" && scripts.add(one.requestId)));
  session.on("Network.loadingFinished", (one) => void (scripts.has(one.requestId) && (bytes += one.encodedDataLength)));
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  await page.goto("/");
  await expect(page.locator("section[aria-label=Instances] tbody a").first()).toBeVisible();
  expect(scripts.size).toBeGreaterThan(5);
  console.log(`the overview brings ${(bytes / 1024).toFixed(0)} KiB of scripts`); // eslint-disable-line no-console
  expect(bytes).toBeLessThan(MOST_BYTES);
});
