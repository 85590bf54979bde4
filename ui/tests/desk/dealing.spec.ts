import type { Page } from "@playwright/test";
import { clipped } from "./clipping";
import { type Desk, expect, live, test } from "./desk";
import { foreign, glanceAt, LOOKS, lookAt, wear } from "./looks";

/** What these tests leave behind, a position and orders, is what the looks of the page are tested with. */

interface Listed {
  instrument: string;
}

/** The first steel contract that ticks: which those are depends on the day. */
async function instrumentOf(page: Page): Promise<string> {
  const answer = await page.request.get("/api/market/contracts?exchange=SHFE&product=rb&kind=future");
  const { instruments } = (await answer.json()) as { instruments: Listed[] };
  return instruments[1]!.instrument;
}

function ticket(page: Page) {
  return page.getByRole("region", { name: "Order ticket" });
}

function orders(page: Page) {
  return page.getByRole("region", { name: "Orders", exact: true });
}

function rowOf(page: Page, id: string) {
  return orders(page).getByRole("row").filter({ has: page.locator(`[data-order="${id}"]`) });
}

/** Fill the ticket up to its last look; gives the ID of the order. */
async function review(page: Page, of: { instrument: string; price: string; lots: string }): Promise<string> {
  await ticket(page).getByLabel("Price", { exact: true }).fill(of.price);
  await ticket(page).getByLabel("Lots", { exact: true }).fill(of.lots);
  await ticket(page).getByRole("button", { name: "Review order" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText("Account paper")).toBeVisible();
  await expect(dialog.locator("[data-environment=paper]")).toBeVisible();
  return dialog.getByText(/^[0-9a-f]{16}$/).innerText();
}

async function place(page: Page, of: { instrument: string; price: string; lots: string }): Promise<string> {
  const id = await review(page, of);
  await page.getByRole("dialog").getByRole("button", { name: "Place order" }).click();
  await expect(page.getByRole("dialog")).toBeHidden();
  return id;
}

/** The day's lowest price, at which a buy order waits. */
async function lowest(page: Page): Promise<string> {
  const limits = await ticket(page).getByTitle("Limits of the day").innerText();
  return limits.split(" – ")[0]!;
}

test("an instrument is found by its letters, its prices move, and an order is placed and cancelled", async ({ page, desk }) => {
  const instrument = await instrumentOf(page);
  const none = { instruments: [], next: "" }; // as before the first session of a feed: it is asked again
  await page.route(/contracts\?kind=future/, (route) => route.fulfill({ json: none }), { times: 1 });
  await page.goto("/trading");
  await live(page);
  const field = ticket(page).getByRole("combobox", { name: "Instrument" });
  await field.fill(instrument.slice(5));
  await page.getByRole("listbox").getByRole("option").first().click();
  await expect(field).toHaveValue(instrument);
  const at = ticket(page).getByRole("button", { name: /^Take the ask/ }).first();
  await expect(at).toBeVisible();
  const before = await ticket(page).innerText();
  await expect.poll(() => ticket(page).innerText()).not.toBe(before);

  await ticket(page).getByLabel("Price", { exact: true }).fill("1");
  await ticket(page).getByRole("button", { name: "Review order" }).click();
  await expect(ticket(page).getByText("Below the lower limit")).toBeVisible();

  const first = await review(page, { instrument, price: await lowest(page), lots: "2" });
  const sent = page.getByRole("dialog").getByRole("button", { name: "Place order" });
  const refused = page.getByRole("alert").filter({ hasText: "Nothing is known of the instrument yet" });
  const row = rowOf(page, first);
  await expect(async () => {
    if (await sent.isVisible()) await sent.click(); // the first order of an instrument may come before its ticks
    await expect(row.or(refused)).toBeVisible();
    await expect(row).toBeVisible({ timeout: 1_000 });
  }).toPass();
  await expect(row).toContainText("Working");
  expect(desk.aegis("order", "list", "--working")).toContain(first);

  await row.getByRole("button", { name: instrument }).click();
  expect(new URL(page.url()).searchParams.get("order")).toBe(first);
  const detail = page.getByRole("region", { name: `Order ${first}` });
  await expect(detail.getByRole("list", { name: "Lifecycle" })).toContainText("At the venue");
  await row.getByRole("button", { name: `Cancel order ${first}` }).click();
  await expect(row).toBeHidden();
  await expect(detail.getByRole("list", { name: "Lifecycle" })).toContainText("Cancelled");
  await orders(page).getByRole("button", { name: /^Of the day/ }).click();
  await expect(row).toContainText("Cancelled");
  expect(desk.aegis("order", "list")).toMatch(new RegExp(`${first}.*cancelled`));
});

test("an order that trades becomes a position, money and a trade; the position is closed by the ticket, with its hedge flag", async ({ page }) => {
  const instrument = await instrumentOf(page);
  await page.goto(`/trading?instrument=${instrument}`);
  await live(page);
  const balance = await page.getByTestId("balance").innerText();
  await ticket(page).getByLabel("Type").selectOption("fak");
  await ticket(page).getByLabel("Hedge flag").selectOption("hedge");
  const ask = ticket(page).getByRole("button", { name: /^Take the ask/ }).last();
  await ask.click();
  const price = ticket(page).getByLabel("Price", { exact: true });
  await expect(price).toHaveValue(/\d/);
  const id = await review(page, { instrument, price: await price.inputValue(), lots: "2" });
  await expect(page.getByRole("dialog").getByText("Hedge flag")).toBeVisible();
  await page.getByRole("dialog").getByRole("button", { name: "Place order" }).click();
  const position = page.getByRole("region", { name: "Positions" }).getByRole("row").filter({ hasText: instrument });
  await expect(position).toContainText("Long");
  await expect(position).toContainText("Hedge");
  await expect(page.getByTestId("balance")).not.toHaveText(balance);
  await orders(page).getByRole("button", { name: "Trades" }).click();
  await expect(orders(page).getByRole("row").filter({ hasText: instrument }).first()).toContainText("Buy");

  await ticket(page).getByLabel("Hedge flag").selectOption("speculation");
  await position.getByRole("button", { name: `Close ${instrument}, Long, Hedge` }).click();
  await expect(ticket(page).getByLabel("Hedge flag")).toHaveValue("hedge");
  await expect(ticket(page).getByRole("button", { name: "Sell" })).toHaveAttribute("aria-pressed", "true");
  await expect(ticket(page).getByLabel("Effect")).toHaveValue("yesterday_first");
  await expect(ticket(page).getByLabel("Lots", { exact: true })).toHaveValue("2");
  await expect(ticket(page).getByLabel("Price", { exact: true })).toBeFocused();

  for (const view of ["orders", "trades"]) {
    await page.goto(`/trading?instrument=${instrument}&price=1&view=${view}&order=${id}`);
    await live(page);
    for (const [language, width] of [
      ["en", 1280],
      ["en", 390],
      ["zh", 390],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await wear(page, { theme: "dark", language });
      await expect(page.getByRole("button", { name: /^(Take the ask|取卖价)/ }).first()).toBeVisible();
      await expect(page.getByRole("group", { name: /^(Trades|成交)$/ }).first()).toBeVisible(); // of the order's details
      expect(await clipped(page), `${view}, ${language}, ${width} px`).toEqual([]);
    }
  }
});

test("before the contract is known nothing can be sent or copied, and then no price between two ticks", async ({ page }) => {
  const instrument = await instrumentOf(page);
  let answers = 0;
  let isListed = false;
  await page.route(/contracts\?kind=future/, async (route) => {
    const answer = await route.fetch();
    const told = (await answer.json()) as { instruments: Listed[]; next: string };
    answers++;
    if (!isListed) told.instruments = told.instruments.filter((one) => one.instrument !== instrument);
    await route.fulfill({ response: answer, json: told });
  });
  await page.goto(`/trading?instrument=${instrument}&lots=1`);
  await live(page);
  const price = ticket(page).getByLabel("Price", { exact: true });
  const button = ticket(page).getByRole("button", { name: "Review order" });
  const copy = page.locator("button[title^='aegis order place']");
  const low = await lowest(page);
  for (const one of [`${low.split(".")[0]}.5`, low]) {
    await price.fill(one);
    await expect(ticket(page).getByText("The contract's tick is not known yet")).toBeVisible();
    await expect(button).toBeDisabled();
    await price.press("Enter");
    await expect(page.getByRole("dialog")).toHaveCount(0);
    await expect(copy).toHaveCount(0);
  }
  await expect.poll(() => answers).toBeGreaterThan(0);
  isListed = true;
  await expect(button).toBeEnabled();
  await expect(copy).toHaveAttribute("title", new RegExp(`${instrument} buy 1 ${Number(low)}`));
  await price.fill(`${low.split(".")[0]}.5`);
  await expect(ticket(page).getByText("No multiple of the tick")).toBeVisible();
  await expect(copy).toHaveCount(0);
  await button.click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a wish that is refused is told so, not that its instrument is subscribed", async ({ page }) => {
  await page.goto("/trading?instrument=SHFE.zz9912");
  await live(page);
  await ticket(page).getByRole("button", { name: "Subscribe" }).click();
  await expect(page.getByText("SHFE.zz9912: the feed does not list it")).toBeVisible();
  await expect(page.getByText("SHFE.zz9912 is subscribed.")).toHaveCount(0);
});

/** Until it is signalled again the venue answers nothing. */
async function withoutVenue(desk: Desk, work: () => Promise<void>): Promise<void> {
  const pid = desk.pid("paper-1");
  process.kill(pid, "SIGSTOP");
  try {
    await work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

test("an order whose outcome is unknown is said to be, over a reload, also where nobody serves its account, and asked for again under its name", async ({ page, desk }) => {
  const instrument = await instrumentOf(page);
  let isServed = true;
  await page.routeWebSocket("/api/live", (socket) => {
    const server = socket.connectToServer();
    const unserved = { type: "state", topic: "orders.paper", state: "failing", since: new Date().toISOString(), problem: { code: "unavailable", reason: "key_unserved", details: { service: "trading", key: "paper" } } };
    server.onMessage((message) => socket.send(!isServed && String(message).includes('"topic":"orders.paper"') ? JSON.stringify(unserved) : message));
  });
  await page.goto(`/trading?instrument=${instrument}`);
  await live(page);
  const notice = page.getByTestId("unsettled");
  const id = await review(page, { instrument, price: await lowest(page), lots: "1" }); // before: who is silent for long is known to be
  await withoutVenue(desk, async () => {
    await page.getByRole("dialog").getByRole("button", { name: "Place order" }).click();
    await expect(notice).toContainText(id);
    await expect(notice).toContainText("It may be at the venue");
    isServed = false;
    await page.reload();
    await expect(page.getByText("The account cannot be followed: Nobody serves trading/paper now.")).toBeVisible();
    await expect(notice).toContainText(id);
  });
  isServed = true;
  await page.reload();
  await expect(async () => {
    const again = notice.getByRole("button", { name: "Ask again" });
    if (await again.isVisible()) await again.click();
    await expect(notice.getByRole("button", { name: "Done" }).or(page.getByText(new RegExp(`^${id}: `)))).toBeVisible({ timeout: 6_000 });
  }).toPass({ timeout: 40_000 });
  if (await notice.isVisible()) await notice.getByRole("button", { name: "Done" }).click();
  await expect(notice).toBeHidden();
  expect(desk.aegis("order", "list").split("\n").filter((line) => line.includes(id))).toHaveLength(1);
});

test("a kill by the account's name cancels all, and an operator lets it trade again", async ({ page, desk }) => {
  const instrument = await instrumentOf(page);
  await page.goto(`/trading?instrument=${instrument}`);
  await live(page);
  const one = await place(page, { instrument, price: await lowest(page), lots: "1" });
  await expect(rowOf(page, one)).toBeVisible();
  await page.getByRole("button", { name: "Kill" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("button", { name: "Kill" })).toBeDisabled();
  await dialog.getByLabel("Type paper to confirm").fill("paper");
  await dialog.getByRole("button", { name: "Kill" }).click();
  await expect(page.getByTestId("mode")).toHaveAttribute("data-mode", "halted");
  await expect(rowOf(page, one)).toBeHidden();
  const refused = await review(page, { instrument, price: await lowest(page), lots: "1" });
  await dialog.getByRole("button", { name: "Place order" }).click();
  await expect(dialog.getByRole("alert")).toContainText("The account is halted.");
  await glanceAt(page, "/trading last look");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  expect(desk.aegis("order", "list")).not.toContain(refused);

  await page.getByRole("button", { name: "Set mode" }).click();
  await dialog.getByLabel("Mode").selectOption("normal");
  desk.aegis("trading", "mode", "cancel_only"); // somebody else, who knows more
  await expect(dialog.getByRole("alert")).toContainText("The account is set to Cancel only by now");
  await expect(dialog.getByRole("button", { name: "Set mode" })).toBeDisabled();
  await dialog.getByLabel("Mode").selectOption("normal");
  await dialog.getByRole("button", { name: "Set mode" }).click();
  await expect(page.getByTestId("mode")).toHaveAttribute("data-mode", "normal");
  await page.getByRole("button", { name: "Reconcile" }).click();
  await expect(dialog.getByText("All figures agree.")).toBeVisible();
  await dialog.getByRole("button", { name: "Done" }).click();

  const left = [await place(page, { instrument, price: await lowest(page), lots: "1" }), await place(page, { instrument, price: await lowest(page), lots: "2" })];
  for (const id of left) await expect(rowOf(page, id)).toBeVisible();
  await page.getByRole("button", { name: "Cancel all" }).click();
  await expect(dialog.getByTitle("aegis order cancel-all --account paper")).toBeVisible();
  await lookAt(page, "/trading?view=orders Cancel all", "dialog");
  await wear(page, LOOKS[0]);
  await dialog.getByRole("button", { name: "Cancel all" }).click();
  for (const id of left) await expect(rowOf(page, id)).toBeHidden();
  await expect(page.getByTestId("mode")).toHaveAttribute("data-mode", "normal");
});

test("the banner tells when the live connection is gone, and a last look at an order that its prices are old, until it is back", async ({ page, desk }) => {
  const instrument = await instrumentOf(page);
  await page.goto(`/trading?instrument=${instrument}`);
  await live(page);
  await review(page, { instrument, price: await lowest(page), lots: "1" });
  process.kill(desk.pid("management-1"), "SIGKILL");
  await expect(page.getByTestId("connection-banner")).toContainText(/gone. What is shown is .* old/);
  await expect(page.getByRole("dialog").getByText("prices here are old")).toBeVisible();
  await expect(page.getByTestId("connection-banner")).toBeHidden({ timeout: 30_000 });
  await live(page);
  await expect(page.getByRole("dialog").getByRole("button", { name: "Place order" })).toBeVisible(); // what came with the new connection has not closed it
  await expect(page.getByRole("dialog").getByText("prices here are old")).toBeHidden();
});

test("a kill that waits for its answer cannot be closed, and its failure is told, wherever one is by then", async ({ page }) => {
  const held: (() => void)[] = [];
  await page.route("**/api/trading/accounts/paper/kill", async (route) => {
    await new Promise<void>((resolve) => held.push(resolve));
    await route.fulfill({ status: 503, contentType: "application/problem+json", json: { code: "unavailable", title: "", detail: "", reason: "key_unserved", details: { service: "trading", key: "paper" } } });
  });
  const kill = async () => {
    await page.getByRole("button", { name: "Kill" }).click();
    await dialog.getByLabel("Type paper to confirm").fill("paper");
    await dialog.getByRole("button", { name: "Kill" }).click();
    await expect.poll(() => held.length).toBe(1);
  };
  const dialog = page.getByRole("dialog");
  await page.goto("/leases");
  await live(page);
  await page.getByRole("link", { name: "Trading", exact: true }).click();
  await kill();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.mouse.click(2, 2);
  for (const name of ["Close", "Cancel"]) await expect(dialog.getByRole("button", { name })).toBeDisabled();
  held.pop()!();
  await expect(dialog.getByRole("alert")).toContainText("Nobody serves trading/paper now.");
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await kill();
  await page.goBack();
  await expect(dialog).toBeHidden();
  held.pop()!();
  await expect(page.getByText(/^Kill paper.*Nobody serves trading\/paper now\.$/)).toBeVisible();
});

test("a book that cannot be read is said to be old, as are prices that do not come while the exchange trades, and an account that is not there is none", async ({ page }) => {
  const instrument = await instrumentOf(page);
  let say: (message: object) => void = () => undefined;
  let comes = true;
  await page.routeWebSocket("/api/live", (socket) => {
    const before = `"ts_received_ns":${Date.now() - 65_000}000000`;
    socket.connectToServer().onMessage((message) => socket.send(comes ? message : String(message).replaceAll(/"ts_received_ns":\d+/g, before)));
    say = (message) => socket.send(JSON.stringify(message));
  });
  await page.route("**/api/market/health/*", async (route) => {
    const answer = await route.fetch();
    const report = (await answer.json()) as { exchanges: { phase: string }[] };
    for (const one of report.exchanges) one.phase = "trading"; // at any time of day
    await route.fulfill({ response: answer, json: report });
  });
  await page.goto(`/trading?instrument=${instrument}`);
  await live(page);
  await expect(page.getByTestId("balance")).toBeVisible();
  say({ type: "state", topic: "orders.paper", state: "failing", since: new Date(Date.now() - 65_000).toISOString(), problem: { code: "unavailable", reason: "key_unserved", details: { service: "trading", key: "paper" } } });
  await expect(page.getByTestId("trouble-banner")).toContainText(/^Orders, positions and money of paper cannot be read for 1 m \d+ s; what is shown is from before\. Nobody serves trading\/paper now\.$/);
  await expect(page.getByTestId("live-state")).toHaveAttribute("data-state", "partly");
  await expect(page.getByTestId("balance")).toBeVisible();
  await wear(page, LOOKS[1]);
  await expect(page.getByTestId("trouble-banner")).toContainText("目前没有实例服务 trading/paper。");
  expect(await foreign(page)).toEqual([]);
  await wear(page, LOOKS[0]);
  say({ type: "state", topic: "orders.paper", state: "live", since: new Date().toISOString(), problem: null });
  await expect(page.getByTestId("trouble-banner")).toBeHidden();
  const isOld = page.getByText(/^The exchange trades, but the last price came 1 m \d+ s ago\.$/);
  await review(page, { instrument, price: await lowest(page), lots: "1" });
  await expect(page.getByText(/^The exchange trades/)).toHaveCount(0);
  comes = false;
  await expect(isOld).toHaveCount(2);
  await page.goto("/trading?account=typo");
  await expect(page.getByText("There is no account typo.")).toBeVisible();
});
