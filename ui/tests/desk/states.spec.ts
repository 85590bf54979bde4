import type { Page } from "@playwright/test";
import { expect, test } from "./desk";
import { GLANCES, lookAt } from "./looks";

/** What a desk seldom is: each page while nothing has come, where nothing can be had, and where there is nothing. */
const PAGES = ["/", "/leases", "/market", "/trading", "/nats", "/audit", "/definitions", "/settings?view=users", "/logs"];
const STATES = ["loading", "failing", "empty"] as const;
type State = (typeof STATES)[number];

/** An answer without what it lists. */
function emptied(answer: unknown): unknown {
  if (Array.isArray(answer)) return [];
  if (typeof answer !== "object" || answer === null) return answer;
  return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, Array.isArray(value) ? [] : value]));
}

/** Answer the page so, but for who is signed in. */
async function answerWith(page: Page, state: State): Promise<void> {
  const problem = { code: "internal", title: "", detail: "", reason: "", errors: [], details: {} };
  await page.route(/\/api\/(?!auth\/me$)/, async (route) => {
    if (state === "failing") return route.fulfill({ status: 500, contentType: "application/problem+json", json: problem });
    if (state === "loading") return; // for as long as the page is there
    const answer = await route.fetch();
    return route.fulfill({ response: answer, json: emptied(await answer.json()) });
  });
  await page.routeWebSocket("/api/live", (socket) => {
    const say = (message: object) => socket.send(JSON.stringify(message));
    socket.onMessage((text) => {
      const { op, topics } = JSON.parse(String(text)) as { op: string; topics: { topic: string }[] };
      if (op !== "subscribe") return;
      say({ type: "alive", hears: "fresh" });
      for (const { topic } of topics) {
        if (state === "failing") say({ type: "state", topic, state: "failing", since: new Date().toISOString(), problem });
        if (state === "empty") say({ type: "snapshot", topic, origin: "of the test", sequence: 1, part: 0, parts: 1, rows: {}, gone: [] });
      }
    });
  });
}

for (const [at, state] of STATES.entries()) {
  test(`every page is whole and can be used by all while it is ${state}`, async ({ page }) => {
    await answerWith(page, state);
    const coming = page.locator("main").getByRole("status").first();
    for (const [number, path] of PAGES.entries()) {
      await page.goto(path);
      if (state === "loading") await expect(coming, path).toBeVisible();
      if (state === "failing") await expect(page.getByRole("alert").first(), path).toBeVisible();
      if (state === "empty") {
        await expect(page.locator("main h1"), path).toBeVisible();
        await expect(coming, path).toBeHidden();
      }
      await lookAt(page, `${path} ${state}`, "body", [GLANCES[(number + at) % 2]!]);
    }
  });
}
