import type { Page } from "@playwright/test";
import { join } from "node:path";
import { type Desk, expect, live, test } from "../desk/desk";

const INTO = new URL("../../../docs/images", import.meta.url).pathname;
/** So many minutes are traded before the pictures are taken. */
const CANDLES = Number(process.env.AEGIS_CONSOLE_CANDLES ?? 20);
const SETTLED_MS = 30_000;
const TALL = { width: 1280, height: 1240 };
const USUAL = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

interface Tick {
  asks: [number, number][];
  bids: [number, number][];
}

async function contract(page: Page, product: string): Promise<string> {
  const { instruments } = (await (await page.request.get(`/api/market/contracts?exchange=SHFE&product=${product}`)).json()) as { instruments: { instrument: string }[] };
  return instruments.at(1)!.instrument;
}

async function tickOf(page: Page, instrument: string): Promise<Tick> {
  return (await (await page.request.get(`/api/market/ticks/${instrument}`)).json()) as Tick;
}

/** A position, orders that work, one that was cancelled, and a key that has gone to and fro. */
async function trade(page: Page, desk: Desk): Promise<string> {
  const [steel, copper, silver] = await Promise.all(["rb", "cu", "ag"].map((product) => contract(page, product)));
  const place = (instrument: string, side: string, lots: number, price: number, type = "limit") => desk.aegis("order", "place", instrument, side, String(lots), String(price), "--type", type, "--strategy", "pairs");
  for (const [instrument, side, lots] of [[steel!, "buy", 4], [copper!, "sell", 2]] as const) {
    await expect(async () => {
      const { asks, bids } = await tickOf(page, instrument);
      place(instrument, side, lots, side === "buy" ? asks.at(-1)![0] : bids.at(-1)![0], "fak");
    }).toPass({ timeout: SETTLED_MS }); // the first order of an instrument may come before its ticks
  }
  const { bids } = await tickOf(page, steel!);
  place(steel!, "buy", 3, bids.at(-1)![0] - 20);
  place(steel!, "buy", 2, bids.at(-1)![0] - 30);
  await expect(async () => {
    place(silver!, "buy", 1, (await tickOf(page, silver!)).bids.at(-1)![0] - 20);
  }).toPass({ timeout: SETTLED_MS });
  desk.aegis("handover", "trading", "paper");
  desk.aegis("handover", "trading", "paper");
  return steel!;
}

test("pictures of a desk that has traded for a while", async ({ page, desk }) => {
  test.setTimeout((CANDLES + 10) * 60_000);
  await page.goto("/");
  await live(page);
  const steel = await trade(page, desk);
  await page.goto(`/market?instrument=${steel}`);
  const candles = page.getByRole("img", { name: /^\d+ candles, the last closes at/ });
  await expect.poll(async () => Number((await candles.getAttribute("aria-label"))?.split(" ")[0]), { timeout: (CANDLES + 5) * 60_000, intervals: [5_000] }).toBeGreaterThanOrEqual(CANDLES);

  const pictures: [string, string, { width: number; height: number }][] = [
    ["overview", "/", USUAL],
    ["service", "/service?name=trading", USUAL],
    ["instance", "/instance?service=marketdata&instance=marketdata-1", TALL],
    ["market", `/market?instrument=${steel}`, TALL],
    ["trading", `/trading?view=orders&instrument=${steel}`, USUAL],
    ["leases", "/leases?service=trading&key=paper", USUAL],
    ["nats", "/nats?stream=TICKS", USUAL],
    ["audit", "/audit", USUAL],
    ["definitions", "/definitions?name=trading", USUAL],
    ["settings", "/settings", USUAL],
    ["phone", `/trading?view=working&instrument=${steel}`, NARROW],
  ];
  for (const [name, path, size] of pictures) {
    await page.setViewportSize(size);
    await page.goto(path);
    await live(page);
    await expect(page.locator("main").getByRole("status")).toHaveCount(0);
    await expect(page.locator("main")).not.toContainText(/–\s*per s/); // rates come some seconds after the rows
    await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
    await page.screenshot({ path: join(INTO, `${name}.png`) });
  }
});
