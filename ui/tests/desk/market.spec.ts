import type { Page } from "@playwright/test";
import { expect, live, test } from "./desk";
import { timesIn } from "../../src/lib/time";
import { glanceAt, LOOKS, wear } from "./looks";

/** A contract of the simulated market whose month is far enough away to be listed on any day. */
async function contract(page: Page, product: string): Promise<string> {
  const { instruments } = (await (await page.request.get(`/api/market/contracts?exchange=SHFE&product=${product}`)).json()) as { instruments: { instrument: string }[] };
  return instruments.at(1)!.instrument;
}

test("ticks move, without the list being rendered anew", async ({ page }) => {
  await page.goto("/market?watched-sort=volume");
  await live(page);
  const list = page.getByRole("region", { name: "Contracts" });
  const first = list.getByRole("row").nth(1);
  await expect(first).toContainText(/\.\w+\d{3,4}/);
  await expect(page.getByRole("img", { name: /^SHFE: [1-9]\d* of \d+ ticked/ })).toBeVisible();
  const volumes = list.locator("tbody tr td:nth-child(6)");
  const before = await volumes.allInnerTexts();
  await expect.poll(async () => (await volumes.allInnerTexts()).filter((text, at) => text !== before[at]).length).toBeGreaterThan(3);
});

test("the map of the coverage is gone through with the keyboard, and a cell opened", async ({ page }) => {
  await page.goto("/market");
  await live(page);
  const map = page.getByRole("region", { name: "Coverage" });
  await map.getByRole("button", { name: /^SHFE: go through/ }).focus();
  const first = await map.locator("button:focus").innerText();
  await page.keyboard.press("ArrowRight");
  await expect(map.locator("button:focus")).not.toHaveText(first);
  await expect(map.locator("button:focus")).toHaveText(/^SHFE\.\w+ (under|older|no tick|not trading)/);
  const name = (await map.locator("button:focus").innerText()).split(" ")[0]!;
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name, exact: true })).toBeVisible();
});

test("a contract is found, opened, and its price, book, candles and ticks are those of the feed", async ({ page }) => {
  const instrument = await contract(page, "rb");
  await page.goto("/market");
  await live(page);
  await page.getByRole("searchbox", { name: "Contract, product or name" }).fill(instrument);
  await page.getByRole("region", { name: "Contracts" }).getByRole("button", { name: instrument }).click();
  expect(new URL(page.url()).searchParams.get("instrument")).toBe(instrument);
  const shown = page.getByRole("region", { name: instrument });
  await expect(shown.getByTestId("last-price")).toContainText(/\d,\d{3}/);
  await expect(shown.getByRole("table", { name: "Book of five levels" }).getByRole("row", { name: /^Bid 1 / })).toContainText(/\d/);
  const price = shown.getByTestId("last-price").locator("time");
  const at = await price.innerText();
  await expect(price).not.toHaveText(at);
  await expect(page.getByRole("img", { name: /^\d+ candles, the last closes at/ }).locator("canvas").first()).toBeVisible();
  const chart = page.getByRole("img", { name: /^\d+ candles/ });
  await chart.scrollIntoViewIfNeeded();
  const { x, y, width } = (await chart.boundingBox())!;
  const candle = page.getByTestId("candle");
  for (let at = x + width - 45; at > x && !(await candle.textContent()); at -= 3) await page.mouse.move(at, y + 60); // from the right, up to the last one
  const running = await candle.textContent();
  expect(running).toMatch(/V [\d,]+$/);
  const volumeOf = (text: string | null) => text?.split("V ")[1];
  await expect.poll(async () => volumeOf(await candle.textContent())).not.toBe(volumeOf(running));
  await wear(page, LOOKS[1]);
  await expect(page.getByRole("button", { name: "日线" })).toBeVisible();
  await expect(async () => {
    for (let at = x + width - 45; at > x && !(await candle.textContent()); at -= 3) await page.mouse.move(at, y + 60);
    expect(await candle.textContent()).toMatch(/开 [\d,]+ +高 [\d,]+ +低 [\d,]+ +收 [\d,]+ +量 [\d,]+$/);
  }).toPass();
  await wear(page, LOOKS[0]);
  const ticks = page.getByRole("region", { name: "Ticks" }).getByRole("row");
  await expect(ticks.nth(2)).toBeVisible();
  const latest = await ticks.nth(1).innerText();
  await expect(ticks.nth(1)).not.toHaveText(latest);
});

interface StoredTicks {
  ticks: { ts_exchange_ns: number }[];
  next: number | null;
}

test("older ticks are gone through in pages, each tick once, as the address says, and back again", async ({ page }) => {
  const instrument = await contract(page, "rb");
  const stored = async (query: string) => (await (await page.request.get(`/api/market/ticks/${instrument}/stored?${query}`)).json()) as StoredTicks;
  await expect.poll(async () => (await stored("limit=30")).ticks.length, { timeout: 30_000 }).toBe(30);
  await page.route(/\/stored\?/, (route) => route.continue({ url: route.request().url().replace(/limit=\d+/, "limit=9") })); // 500 take minutes to come about
  await page.goto(`/market?instrument=${instrument}`);
  await live(page);
  const list = page.getByRole("region", { name: "Ticks" });
  const times = list.locator("tbody tr td:first-child");
  const placeOf = (address: string) => new URL(address).searchParams.get("ticks-before") ?? "";
  const told = async (query: string) => {
    const { ticks } = await stored(query);
    return ticks.map((one) => timesIn("exchange").precise(one.ts_exchange_ns / 1e6)).reverse();
  };
  const addresses: string[] = [];
  for (let count = 0; count < 2; count++) {
    const [last, from] = [await times.last().innerText(), placeOf(page.url())];
    await list.getByRole("button", { name: "Older ticks" }).click();
    await expect.poll(() => placeOf(page.url())).not.toBe(from);
    addresses.push(page.url());
    const place = placeOf(page.url());
    await expect(times).toHaveText(await told(`before=${place}&limit=9`));
    expect(await told(`before=${Number(place) + 1}&limit=1`), "the page goes on where the list ended").toEqual([last]);
  }
  await expect(list.getByText(/^stored, \S+ \S+ to \S+ \S+$/)).toBeVisible();
  await glanceAt(page, "/market older ticks", "main");
  await page.goBack();
  await expect(page).toHaveURL(addresses[0]!);
  await expect(times).toHaveText(await told(`before=${placeOf(addresses[0]!)}&limit=9`));
  await page.reload();
  await expect(times).toHaveText(await told(`before=${placeOf(addresses[0]!)}&limit=9`));
  await list.getByRole("button", { name: "Latest ticks" }).click();
  await expect(page).not.toHaveURL(/ticks-before/);
  const first = await times.first().innerText();
  await expect(times.first()).not.toHaveText(first);
});

test("what is subscribed by name is told with who wants it, and taken back", async ({ page }) => {
  const instrument = await contract(page, "cu");
  await page.goto(`/market?instrument=${instrument}`);
  await live(page);
  const shown = page.getByRole("region", { name: instrument });
  await expect(shown.getByText("for desk", { exact: true })).toBeVisible();
  await shown.getByRole("button", { name: "Subscribe" }).click();
  await expect(page.getByText(`${instrument} is wanted.`)).toBeVisible();
  await expect(shown.getByText(/^for .*operator/)).toBeVisible();
  const wishes = page.getByRole("region", { name: "Who wants what" });
  await expect(wishes.getByRole("row", { name: /^operator 1 / })).toBeVisible();
  await wishes.getByRole("button", { name: /operator$/ }).click();
  await glanceAt(page, "/market end of wishes");
  await page.keyboard.press("Escape");
  await shown.getByRole("button", { name: "Unsubscribe" }).click();
  await expect(shown.getByText("for desk", { exact: true })).toBeVisible();
  await expect(wishes.getByText("operator")).toHaveCount(0);
});

test("contracts are looked up by exchange, kind and expiry", async ({ page }) => {
  const instrument = await contract(page, "ag");
  await page.goto("/market?view=listed&exchange=SHFE&find=.ag");
  await live(page);
  const list = page.getByRole("region", { name: "Contracts" });
  await expect(list.getByRole("button", { name: instrument })).toBeVisible();
  await expect(list.getByRole("button", { name: "SHFE.rb" })).toHaveCount(0);
  await list.getByRole("searchbox", { name: /^Expiry/ }).fill("1999");
  await expect(list.getByText("No contract matches")).toBeVisible();
});

test("who brings the ticks is told with the key and its epoch", async ({ page }) => {
  await page.goto("/market");
  await live(page);
  const feeds = page.getByRole("region", { name: "Feeds" });
  await expect(feeds.getByRole("row", { name: /marketdata-1 Primary main · \d+ ready/ })).toBeVisible();
  await expect(page.getByRole("region", { name: "Health findings" })).toContainText(/Healthy|Degraded|Critical/);
});

test("the charts of an instance share one crosshair", async ({ page }) => {
  await page.goto("/instance?service=marketdata&instance=marketdata-1");
  await live(page);
  const calls = page.getByRole("figure", { name: "Calls per s" });
  const memory = page.getByRole("figure", { name: "Memory" });
  await expect(memory.getByText(/^\d+ MiB$/)).toBeVisible({ timeout: 20_000 });
  await expect(memory.locator("time")).toBeEmpty();
  const over = calls.locator(".u-over");
  await over.scrollIntoViewIfNeeded();
  await over.hover({ position: { x: 40, y: 40 } });
  await expect(memory.locator("time")).toHaveText(/^\d\d:\d\d:\d\d$/);
  expect(await memory.locator("time").innerText()).toBe(await calls.locator("time").innerText());
});
