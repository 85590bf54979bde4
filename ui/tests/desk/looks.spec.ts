import { clipped } from "./clipping";
import { expect, live, test } from "./desk";
import { LOOKS, lookAt, wear } from "./looks";

/** As a contract's name has it: 2702. */
const IN_90_DAYS = new Date(Date.now() + 90 * 86_400_000).toISOString().slice(2, 7).replace("-", "");

/** Every page, with what it looks like when there is something to see. Who adds a page adds it here. */
const PAGES = [
  ...["/", "/service?name=trading", "/instance?service=trading&instance=trading-1", "/leases", "/leases?service=trading&key=paper", "/no-such-page"],
  ...["/market", `/market?instrument=SHFE.rb${IN_90_DAYS}`, `/trading?view=orders&instrument=SHFE.rb${IN_90_DAYS}`],
  ...["/nats?stream=TICKS", "/nats?view=consumers", "/nats?view=buckets&bucket=aegis_services&key=trading", "/nats?view=server", "/audit?entry=1", "/definitions?name=trading"],
  ...["/settings", "/settings?view=tokens", "/settings?view=users", "/logs", "/logs?service=trading&instance=trading-1"],
];
for (const path of PAGES) {
  test(`${path} is whole and can be used by all, in every look`, async ({ page }) => {
    await page.goto(path);
    await live(page);
    await expect(page.locator("main").getByRole("status")).toHaveCount(0);
    await lookAt(page, path);
  });
}

test("signing in is whole and can be used by all, in every look", async ({ browser, desk }) => {
  const context = await browser.newContext({ baseURL: desk.address, storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto("/");
  await expect(page.locator("form")).toBeVisible();
  await lookAt(page, "/sign-in");
  await context.close();
});

/** Each page with the buttons that open a dialog there. */
const DIALOGS: [string, string[]][] = [
  ["/leases?service=trading&key=paper", ["Hand over"]],
  ["/instance?service=trading&instance=trading-1", ["Drain", "Maintenance"]],
  ["/definitions?name=trading", ["Edit", "Import", "New definition"]],
  ["/settings?view=tokens", ["New token"]],
  ["/settings?view=users", ["New user"]],
  ["/market", ["Subscribe…", "Go to or do"]],
  ["/trading?view=orders", ["Set mode", "Kill", "Flatten", "Reconcile"]],
];
for (const [path, buttons] of DIALOGS) {
  test(`the dialogs of ${path} are whole and can be used by all, in every look`, async ({ page }) => {
    await page.goto(path);
    await live(page);
    for (const name of buttons) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await wear(page, LOOKS[0]);
      await page.getByRole("button", { name }).first().click();
      await expect(page.getByRole("dialog")).toBeVisible();
      await expect(page.getByRole("dialog").getByRole("status")).toHaveCount(0);
      await lookAt(page, `${path} ${name}`, "dialog");
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toBeHidden();
    }
  });
}

test("a look that another tab has set is taken, and once, however much of the page it concerns", async ({ page }) => {
  await page.goto("/instance?service=trading&instance=trading-1");
  await expect(page.getByRole("figure").first()).toBeVisible();
  const times = await page.evaluate(async () => {
    const seen: MutationRecord[] = [];
    const watch = new MutationObserver((records) => seen.push(...records));
    watch.observe(document.documentElement, { attributeFilter: ["lang"] });
    const newValue = JSON.stringify({ theme: "light", language: "zh" });
    localStorage.setItem("aegis.preferences", newValue);
    window.dispatchEvent(new StorageEvent("storage", { key: "aegis.preferences", newValue }));
    await new Promise(requestAnimationFrame);
    return seen.length;
  });
  expect(times).toBe(1);
  await expect(page.getByRole("figure", { name: "延迟", exact: true }).locator("canvas")).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
});

test("what was set is there before the first paint", async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem("aegis.preferences", JSON.stringify({ theme: "light", language: "zh" })));
  await page.route(/\.js$/, (route) => route.abort());
  await page.goto("/");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
});

test("a text that is cut off is found, unless its title says it whole", async ({ page }) => {
  await page.setContent(`
    <p style="width:40px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis">cut off at its side</p>
    <p style="width:90px;height:20px;overflow:hidden;line-height:20px">cut off below where it goes on</p>
    <div style="width:60px;overflow:hidden"><span style="white-space:nowrap">cut off by what is around</span></div>
    <p title="something else" style="width:40px;overflow:hidden;white-space:nowrap">cut off with another title</p>
    <p title="said by its title" style="width:40px;overflow:hidden;white-space:nowrap">said by its title</p>
    <p data-whole title="never cut, title or not" style="width:40px;overflow:hidden;white-space:nowrap">never cut, title or not</p>
    <input placeholder="a placeholder that has no room" style="width:80px"><input placeholder="has" style="width:80px">
    <div style="width:60px;overflow:auto"><span style="white-space:nowrap">can be scrolled to</span></div>`);
  const found = await clipped(page);
  expect(found.map((one) => /"(.*)"/.exec(one)?.[1])).toEqual(["cut off at its side", "cut off below where it goes on", "cut off by what is around", "cut off with another title", "never cut, title or not", "a placeholder that has no room"]);
});
