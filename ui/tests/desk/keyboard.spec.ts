import { execFileSync } from "node:child_process";
import { expect, live, test } from "./desk";

const PYTHON = new URL("../../../.venv/bin/python", import.meta.url).pathname;
const COMMANDS = new URL("../../scripts/commands.py", import.meta.url).pathname;

/** What the keyboard is in. */
const FOCUSED = "*:focus";

test("the palette is opened, asked and obeyed by the keyboard alone, and finds contracts and accounts too", async ({ page }) => {
  await page.goto("/");
  await live(page);
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("combobox")).toBeFocused();
  await page.keyboard.type("trading1");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "trading-1" })).toBeVisible();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("SHFE.rb");
  await expect(page.getByRole("option", { name: /^SHFE\.rb\d{4} .*Contract$/ }).first()).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/market\?instrument=SHFE\.rb\d{4}$/);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("paper");
  await page.getByRole("option", { name: /^paper ?Account$/ }).click();
  await expect(page).toHaveURL(/\/trading\?account=paper$/);
});

test("a dialog begins where something is to be typed, and gives the focus back", async ({ page }) => {
  await page.goto("/leases?service=trading&key=paper");
  await live(page);
  const button = page.getByRole("button", { name: "Hand over" });
  await button.focus();
  await page.keyboard.press("Enter");
  const word = page.getByRole("dialog").getByLabel("Type paper to confirm");
  await expect(word).toBeFocused();
  await page.keyboard.type("paper");
  await expect(word).toHaveValue("paper");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(button).toBeFocused();
});

test("a menu is left by Tab and by Escape", async ({ page }) => {
  await page.goto("/leases");
  await live(page);
  const button = page.getByRole("button", { name: "admin" });
  for (const key of ["Tab", "Escape"]) {
    await button.focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("menuitem", { name: "Sign out" })).toBeFocused();
    await page.keyboard.press(key);
    await expect(page.getByRole("menu")).toBeHidden();
  }
  await expect(button).toBeFocused();
});

test("another account is chosen by the keyboard", async ({ page }) => {
  const listed = ["paper", "second"].map((account) => ({ account, key: account, env: "paper" }));
  await page.route("**/api/trading/accounts", (route) => route.fulfill({ json: listed }));
  await page.goto("/trading");
  await live(page);
  const rows = page.getByRole("group", { name: "Accounts" });
  await rows.focus();
  await expect(async () => {
    await page.keyboard.press("Tab");
    await expect(rows.locator(FOCUSED)).toHaveText("second", { timeout: 100 });
  }).toPass();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/account=second/);
});

test("each page has a title of its own, which says which environment it is, also after a way within the console", async ({ page }) => {
  await page.goto("/leases");
  await expect(page).toHaveTitle("Leases · Paper · Aegis");
  await page.getByRole("link", { name: "Market data" }).click();
  await expect(page).toHaveTitle("Market data · Paper · Aegis");
  await page.goto("/instance?service=trading&instance=trading-1");
  await expect(page).toHaveTitle("trading-1 · Paper · Aegis");
  await page.goto("/trading");
  await page.route("**/api/trading/accounts", (route) => route.fulfill({ json: [{ account: "paper", key: "paper", env: "live" }] }));
  await page.reload();
  await expect(page).toHaveTitle("Trading · Live · Aegis");
});

test("that the connection is gone is told once, though its age goes on", async ({ page }) => {
  let isCut = false;
  const cut: (() => void)[] = [];
  await page.routeWebSocket("/api/live", (socket) => {
    if (isCut) return void socket.close();
    socket.connectToServer();
    cut.push(() => void socket.close());
  });
  await page.goto("/");
  await live(page);
  isCut = true;
  cut.forEach((one) => one());
  const banner = page.getByTestId("connection-banner");
  await expect(banner).toBeVisible();
  const told = page.getByRole("alert").filter({ hasText: "The live connection is gone." });
  await expect(told).toHaveCount(1);
  await told.evaluate((alert) => {
    new MutationObserver(() => (alert.ownerDocument.body.dataset.toldAgain = "yes")).observe(alert, { subtree: true, childList: true, characterData: true });
  });
  const age = await banner.innerText();
  await expect(banner).not.toHaveText(age);
  await expect(banner).not.toHaveText(await banner.innerText());
  await expect(page.locator("body")).not.toHaveAttribute("data-told-again", "yes");
});

/** Every page with commands, and what has to be opened for more of them. */
const COPIED: [string, string[]][] = [
  ["/instance?service=trading&instance=trading-1", ["Maintenance"]],
  ["/leases?service=trading&key=paper", ["Hand over"]],
  ["/logs?service=trading&instance=trading-1", []],
  ["/market", ["Subscribe…"]],
  ["/trading?price=PRICE&effect=yesterday_first&hedge=hedge&lots=2", ["Kill", "Flatten", "Reconcile"]],
];

test("the command line takes every command that is copied here", async ({ page }) => {
  const { instruments } = (await (await page.request.get("/api/market/contracts?exchange=SHFE&product=rb")).json()) as { instruments: { instrument: string }[] };
  const instrument = instruments[1]!.instrument;
  const { ticks } = (await (await page.request.get(`/api/market/ticks/${instrument}/stored`)).json()) as { ticks: { lower_limit_price: number }[] };
  const commands = new Set<string>();
  const collect = async () => {
    const titles = await page.locator("button[title^='aegis ']").evaluateAll((all) => all.map((one) => (one as HTMLElement).title));
    titles.forEach((one) => commands.add(one));
    return titles.length;
  };
  for (const [path, buttons] of COPIED) {
    await page.goto(path.replace("price=PRICE", `instrument=${instrument}&price=${ticks[0]!.lower_limit_price}`).replace("/market", `/market?instrument=${instrument}`));
    await live(page);
    await expect.poll(collect).toBeGreaterThan(0);
    if (path.startsWith("/trading?")) await expect(page.locator("button[title^='aegis order place']")).toBeVisible();
    await collect();
    for (const name of buttons) {
      await page.getByRole("button", { name, exact: true }).first().click();
      await expect(page.getByRole("dialog").locator("button[title^='aegis ']")).toBeVisible();
      await collect();
      await page.keyboard.press("Escape");
    }
  }
  await page.getByRole("button", { name: "Set mode" }).click();
  await page.getByRole("dialog").getByLabel("Mode").selectOption("close_only");
  await page.getByRole("dialog").getByLabel("Reason").fill("it's late");
  await collect();
  for (const known of ["health --feed main", "handover trading paper", "drain trading-1", "maintenance trading-1", "trading kill", "order list", "call trading.reconcile", "subscribe", "trading mode close_only", "logs trading-1", "order place"]) {
    expect([...commands].filter((one) => one.startsWith(`aegis ${known}`)), known).not.toEqual([]);
  }
  const refused = execFileSync(PYTHON, [COMMANDS], { input: [...commands].join("\n"), encoding: "utf8" });
  expect(refused).toBe("");
});
