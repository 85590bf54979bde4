import type { Page } from "@playwright/test";
import { spawn } from "node:child_process";
import { expect, live, test } from "../desk/desk";
import { LOOKS, lookAt, wear } from "../desk/looks";
import { arriving, countArriving, heapMiB, judged, MOST_USABLE_MS, TABLE, USABLE, watchUsable } from "./measuring";

const PYTHON = new URL("../../../.venv/bin/python", import.meta.url).pathname;
const CROWD = new URL("../../../sdk/tests/integration/many_registrations.py", import.meta.url).pathname;
const COUNT = 1_000;
const CROWD_MS = 150_000;
const CONTRACTS = 856;
const TICKS_PER_S = CONTRACTS * 10;
const LEAST_TICKS_PER_S = 0.8 * TICKS_PER_S;
const WATCHED_MS = 15_000;
const MINUTES = Number(process.env.AEGIS_CONSOLE_MINUTES ?? 10);
const MOST_HEAP_MIB = 250;

test.use({ settings: { AEGIS_UNIVERSE: "futures", AEGIS_RATE: String(TICKS_PER_S), AEGIS_IN_TURN: "1", AEGIS_CODEC: "msgpack", AEGIS_TICKS_MAX_BYTES: String(256 << 20) } });

test("a thousand instances more, and all futures ten times a second, are shown without the page standing still or filling up", async ({ page, browser, desk }) => {
  test.setTimeout(2 * CROWD_MS + MINUTES * 120_000);
  const crowd = spawn(PYTHON, [CROWD, "crowd", String(COUNT)], { env: { ...process.env, ...desk.environment() }, stdio: "ignore" });
  try {
    await page.goto("/");
    await live(page);
    const table = page.locator(TABLE);
    await expect(async () => expect(Number(await table.getAttribute("aria-rowcount"))).toBeGreaterThan(COUNT)).toPass({ timeout: CROWD_MS });

    await watchUsable(page);
    await countArriving(page);
    await judged("overview", browser, page, async () => {
      await page.reload();
      await live(page);
      await scroll(page);
      await page.getByLabel("Filter instances").fill("o99");
      await expect(table.getByRole("link", { name: "o999", exact: true })).toBeVisible();
      await page.getByLabel("Filter instances").fill("");
      await expect(table.getByRole("link", { name: "o0", exact: true })).toBeVisible();
    });
    const usable = Number(await page.locator("html").getAttribute(USABLE));
    // eslint-disable-next-line no-console
    console.log(`usable beside all that after ${usable} ms; bar ${MOST_USABLE_MS} ms`);
    expect.soft(usable).toBeLessThan(MOST_USABLE_MS);
    await lookAt(page, "/ of a thousand instances");
    await wear(page, LOOKS[0]);

    await judged("market data", browser, page, async () => {
      await page.goto("/market?watched-sort=volume");
      await live(page);
      const list = page.getByRole("region", { name: "Contracts" });
      await expect(list.getByRole("table")).toHaveAttribute("aria-rowcount", String(CONTRACTS + 1));
      await list.getByRole("row").nth(3).click();
      await page.waitForTimeout(WATCHED_MS); // so long it is watched
    });
    const rows = await arriving(page, "ticks.*.*", 5);
    // eslint-disable-next-line no-console
    console.log(`${rows.toFixed(0)} of ${TICKS_PER_S} ticks/s came into the page; bar ${LEAST_TICKS_PER_S}`);
    expect.soft(rows, "a machine with other work brings fewer, and what is measured is not what it is to be").toBeGreaterThan(LEAST_TICKS_PER_S);
    await lookAt(page, "/market of all futures");

    for (let minute = 1; minute <= MINUTES; minute++) {
      await page.waitForTimeout(60_000);
      const heap = await heapMiB(page);
      // eslint-disable-next-line no-console
      console.log(`heap after ${minute} min: ${heap.toFixed(0)} MiB, bar ${MOST_HEAP_MIB}`);
      expect(heap).toBeLessThan(MOST_HEAP_MIB);
    }
  } finally {
    crowd.kill("SIGKILL");
  }
});

async function scroll(page: Page): Promise<void> {
  const box = page.locator(TABLE).locator("..");
  await box.hover();
  const end = await box.evaluate((one) => one.scrollHeight - one.clientHeight);
  for (let at = 0; at < end; at += 1_500) await page.mouse.wheel(0, 1_500);
  await expect(page.locator(TABLE).getByRole("link", { name: "trading-2", exact: true })).toBeVisible();
}
