import type { Page } from "@playwright/test";
import { expect, live, test } from "./desk";
import { glanceAt } from "./looks";

/** As a browser is that has the console over HTTP from another machine. */
async function withoutClipboard(page: Page): Promise<void> {
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
}

const REFUSED = "The browser does not let this page copy. Select the text, and copy it yourself.";

test("what is told while a dialog is open stands above it where it is read out, and goes on behind it", async ({ page }) => {
  await withoutClipboard(page);
  await page.goto("/leases?service=trading&key=paper");
  await live(page);
  await page.getByRole("button", { name: "Hand over" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("log")).toBeAttached(); // before there is anything in it
  const command = dialog.getByRole("button", { name: "Copy as command" });
  await command.click();
  await expect(dialog.getByRole("log").getByText(REFUSED)).toBeVisible();
  await command.click();
  await expect(page.getByText(REFUSED)).toHaveCount(2);
  await dialog.getByRole("button", { name: "Dismiss" }).first().click(); // which a backdrop would not let happen
  await expect(page.getByText(REFUSED)).toHaveCount(1);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("log").getByText(REFUSED)).toBeVisible();
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(page.getByText(REFUSED)).toHaveCount(0);
});

test("a command that the browser does not let us copy is there to be selected, by pointer and keyboard", async ({ page }) => {
  await withoutClipboard(page);
  await page.goto("/leases?service=trading&key=paper");
  await live(page);
  await page.getByRole("button", { name: "Copy as command" }).click();
  await expect(page.getByText(REFUSED)).toBeVisible();
  const text = page.getByRole("textbox", { name: "Text to copy" });
  await expect(text).toHaveValue("aegis handover trading paper");
  const selected = () => text.evaluate((one: HTMLTextAreaElement) => one.value.slice(one.selectionStart, one.selectionEnd));
  await text.click();
  expect(await selected()).toBe("aegis handover trading paper");
  await text.evaluate((one: HTMLTextAreaElement) => (one.setSelectionRange(0, 0), one.blur()));
  await page.getByRole("button", { name: "Dismiss" }).focus();
  await page.keyboard.press("Shift+Tab");
  await expect(text).toBeFocused();
  expect(await selected()).toBe("aegis handover trading paper");
});

test("a secret that the browser does not let us copy is selected where it is, and is in nothing that stays", async ({ page, desk }) => {
  await withoutClipboard(page);
  await page.goto("/settings?view=tokens");
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("by-hand");
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  const secret = await page.getByTestId("secret").innerText();
  await page.getByRole("dialog").getByRole("button", { name: "Copy" }).click();
  await expect(page.getByRole("dialog").getByText(REFUSED)).toBeVisible();
  expect(await page.evaluate(() => getSelection()!.toString())).toBe(secret);
  await page.getByRole("dialog").getByRole("button", { name: "I have stored it" }).click();
  await expect(page.getByText(REFUSED)).toBeVisible();
  expect(await page.locator("body").evaluate((body) => body.innerHTML)).not.toContain(secret);
  const tokens = (await (await page.request.get("/api/tokens")).json()) as { id: string; name: string }[];
  for (const one of tokens.filter((token) => token.name === "by-hand")) await page.request.delete(`/api/tokens/${one.id}`, { headers: { Origin: desk.address } });
});

test("of a key that nobody holds it is not said for how long it is held", async ({ page }) => {
  const given = new Date(Date.now() - 3_600_000).toISOString();
  await page.routeWebSocket("/api/live", (socket) => {
    socket.connectToServer().onMessage((text) => {
      const message = JSON.parse(String(text)) as { topic?: string; rows?: Record<string, object> };
      if (message.topic === "leases" && message.rows) {
        const { rows } = message;
        if (rows["trading.paper"]) rows["trading.paper"] = { ...rows["trading.paper"], holder: null, epoch: null, state: "VACANT", since: given, last_holder: "trading-1" };
        if (rows["paper.paper"]) rows["paper.paper"] = { ...rows["paper.paper"], state: "LOST", since: given }; // its holder's lease, and nobody has taken it
      }
      socket.send(JSON.stringify(message));
    });
  });
  await page.goto("/leases?service=trading&key=paper");
  await live(page);
  const heldFor = (key: string) => page.getByRole("region", { name: "Keys" }).getByRole("row").filter({ hasText: key }).locator("td").last();
  await expect(heldFor("trading / paper")).toHaveText("–");
  await expect(heldFor("paper / paper")).toHaveText("–");
  await expect(heldFor("marketdata / main")).toHaveText(/^\d/);
  const detail = page.getByRole("region", { name: "trading / paper" });
  await expect(detail.getByText("Nobody since")).toBeVisible();
  await glanceAt(page, "/leases nobody holds it", "main");
});
