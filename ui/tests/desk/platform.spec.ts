import type { Browser, Page } from "@playwright/test";
import { contextOf, type Desk, expect, live, PASSWORD, test } from "./desk";
import { glanceAt } from "./looks";

const SERVICE = "echo-1";
const USER = "vera-1";

/** Write a definition by the API, in whatever state it is, as a program of somebody else's would. */
async function define(page: Page, desk: Desk, methods: string[]): Promise<void> {
  const now = await page.request.get(`/api/services/${SERVICE}`);
  const precondition: Record<string, string> = now.ok() ? { "If-Match": now.headers().etag! } : { "If-None-Match": "*" };
  const written = await page.request.put(`/api/services/${SERVICE}`, { headers: { Origin: desk.address, ...precondition }, data: { version: "1", methods, description: "Says back what it is told." } });
  expect(written.ok()).toBe(true);
}

async function entered(browser: Browser, desk: Desk, user: string, first: string): Promise<Page> {
  const context = await browser.newContext({ baseURL: desk.address, storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto("/");
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(first);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByLabel("Password until now")).toBeVisible();
  await glanceAt(page, "/ first password", "body");
  await page.getByLabel("Password until now").fill(first);
  await page.getByLabel("New password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("New password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  return page;
}

test("a definition that is edited in two tabs at once shows both, and nothing is lost", async ({ page, browser, desk, signedIn }) => {
  await define(page, desk, ["echo"]);
  const other = await (await contextOf(browser, desk, signedIn)).newPage(); // of a window of its own: behind another tab a click waits for seconds
  for (const tab of [page, other]) {
    await tab.goto(`/definitions?name=${SERVICE}`);
    await tab.getByRole("button", { name: "Edit" }).click();
    await expect(tab.getByRole("dialog").getByLabel("Version")).toHaveValue("1");
  }
  await other.getByRole("dialog").getByLabel("Version").fill("theirs");
  await other.getByRole("button", { name: "Save" }).click();
  await expect(other.getByText(`${SERVICE} is saved as revision`)).toBeVisible();

  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Version").fill("mine");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog.getByText(`Somebody else has changed ${SERVICE}`)).toBeVisible();
  await expect(dialog.getByRole("cell", { name: /"version": "theirs"/ })).toBeVisible();
  await expect(dialog.getByRole("cell", { name: /"version": "mine"/ })).toBeVisible();
  expect(await (await page.request.get(`/api/services/${SERVICE}`)).json()).toMatchObject({ version: "theirs" });
  await glanceAt(page, "/definitions conflict");

  await dialog.getByRole("button", { name: "Go on from theirs" }).click();
  await expect(dialog.getByLabel("Version")).toHaveValue("theirs");
  await other.getByRole("button", { name: "Edit" }).click();
  await other.getByRole("dialog").getByLabel("Version").fill("theirs again");
  await other.getByRole("button", { name: "Save" }).click();
  await expect(other.getByRole("dialog")).toBeHidden();
  await dialog.getByLabel("Version").fill("mine");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("button", { name: "Save mine over it" }).click();
  await expect(dialog).toBeHidden();
  expect(await (await page.request.get(`/api/services/${SERVICE}`)).json()).toMatchObject({ version: "mine", methods: ["echo"] });
  await other.context().close();
});

test("what a file of definitions would change is shown before it is written, and the export holds it", async ({ page, desk }) => {
  await define(page, desk, ["echo"]);
  await page.goto("/definitions");
  await page.getByRole("button", { name: "Import" }).click();
  const dialog = page.getByRole("dialog");
  const file = (text: string) => dialog.getByLabel("File").setInputFiles({ name: "definitions.json", mimeType: "application/json", buffer: Buffer.from(text) });
  await file("{}");
  await expect(dialog.getByText("it is not a list")).toBeVisible();
  await file(JSON.stringify([{ name: SERVICE, version: "1", methods: ["echo"], description: "Says back what it is told." }, { name: "echo-2", version: "2", methods: ["echo"] }]));
  await expect(dialog.getByText("The same", { exact: true })).toBeVisible();
  await dialog.getByRole("button", { name: "Save 1" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("button", { name: "echo-2" })).toBeVisible();
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const text = await (await (await saved).createReadStream()).toArray();
  expect(JSON.parse(Buffer.concat(text as Buffer[]).toString())).toContainEqual({ name: "echo-2", version: "2", methods: ["echo"], description: "" });
  await page.getByRole("button", { name: "echo-2" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await glanceAt(page, "/definitions delete");
  await page.getByLabel("Type echo-2 to confirm").fill("echo-2");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("button", { name: "echo-2" })).toBeHidden();
});

test("a viewer is offered nothing that he may not do, is refused it, and the trail tells at once", async ({ page, browser, desk }) => {
  await define(page, desk, ["echo"]);
  await page.goto("/settings?view=users");
  await page.getByRole("button", { name: "New user" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill(USER);
  await page.getByRole("button", { name: "Create" }).click();
  const first = await page.getByTestId("secret").innerText();
  await glanceAt(page, "/settings secret");
  await page.getByRole("button", { name: "I have stored it" }).click();
  await expect(page.getByText(first)).toBeHidden();
  const row = page.getByRole("row").filter({ hasText: USER });
  for (const name of ["Change", "New password", "Delete"]) {
    await row.getByRole("button", { name }).click();
    await glanceAt(page, `/settings?view=users ${name}`);
    await page.keyboard.press("Escape");
  }
  await page.setViewportSize({ width: 390, height: 844 }); // no room for more than one button
  await row.getByRole("button", { name: "Change" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("dialog").getByLabel(`Type ${USER} to confirm`)).toBeFocused();
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`/audit?who=${USER}`);
  await live(page);

  const viewer = await entered(browser, desk, USER, first);
  await expect(viewer.getByRole("link", { name: "Audit" })).toHaveCount(0);
  await viewer.goto(`/definitions?name=${SERVICE}`);
  await expect(viewer.getByRole("heading", { name: SERVICE })).toBeVisible();
  for (const name of ["Edit", "Delete", "New definition", "Import"]) await expect(viewer.getByRole("button", { name })).toHaveCount(0);
  await viewer.goto("/settings?view=users");
  await expect(viewer.getByRole("heading", { name: "My sessions" })).toBeVisible();
  await viewer.goto("/nats?view=buckets");
  await expect(viewer.getByRole("region", { name: "Streams" })).toBeVisible();
  await viewer.goto("/audit");
  await expect(viewer.getByText("This needs another role.")).toBeVisible();
  await viewer.goto("/logs?service=trading&instance=trading-1");
  await expect(viewer.getByText("Logs are for operators.")).toBeVisible();
  const refused = await viewer.request.put(`/api/services/${SERVICE}`, { headers: { Origin: desk.address, "If-Match": '"1"' }, data: {} });
  expect(refused.status()).toBe(403);

  const trail = page.getByRole("group", { name: "Entries" });
  await expect(trail.getByText(`PUT /api/services/${SERVICE}`)).toBeVisible();
  await expect(trail.getByText("role_needed").first()).toBeVisible();
  const csv = await page.request.get(`/api/audit.csv?who=${USER}&result=refused`);
  expect((await csv.text()).split("\n")[0]).toContain("sequence,at,who");
  await viewer.context().close();
});

test("a token is shown once, works, and is refused once it has ended", async ({ page, desk, playwright }) => {
  await page.goto("/settings?view=tokens");
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("prometheus");
  await page.getByRole("button", { name: "Create" }).click();
  const secret = await page.getByTestId("secret").innerText();
  await page.getByRole("button", { name: "I have stored it" }).click();
  await expect(page.getByText(secret)).toBeHidden();
  const program = await playwright.request.newContext({ baseURL: desk.address, extraHTTPHeaders: { Authorization: `Bearer ${secret}` } });
  expect((await program.get("/api/services")).status()).toBe(200);
  await page.getByRole("button", { name: "End the token prometheus" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End" }).click();
  await expect(page.getByText("There are no tokens")).toBeVisible();
  expect((await program.get("/api/services")).status()).toBe(401);
  await program.dispose();
});

test("what cannot be asked for again is said to be old, with its age and why, until it can", async ({ page, desk }) => {
  await define(page, desk, ["echo"]);
  await page.goto("/definitions");
  await expect(page.getByRole("button", { name: SERVICE })).toBeVisible();
  const problem = { code: "unavailable", title: "", detail: "", reason: "nats_away", details: {} };
  await page.route("**/api/services", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", json: problem }));
  const old = page.getByTestId("old");
  await expect(old).toHaveText(/^This is [\d.]+ s old: it could not be asked for again\. .*NATS does not answer\.$/, { timeout: 30_000 });
  await expect(page.getByRole("button", { name: SERVICE })).toBeVisible();
  await page.unroute("**/api/services");
  await expect(old).toBeHidden({ timeout: 30_000 });
});

test("a key's revisions are shown, and what has changed between two of them", async ({ page, desk }) => {
  await define(page, desk, ["echo"]);
  await define(page, desk, ["echo", "reverse"]);
  await page.goto(`/nats?view=buckets&bucket=aegis_services&key=${SERVICE}`);
  const panel = page.getByRole("region", { name: SERVICE });
  await expect(panel.getByRole("columnheader", { name: /^Now: revision \d+$/ })).toBeVisible();
  await expect(panel.getByRole("cell", { name: 'Only here: "reverse"' })).toBeVisible();
  await panel.getByLabel("Compared with").selectOption({ label: "Nothing: the value alone" });
  await expect(panel.getByText('"reverse"')).toBeVisible();
});

test("consumers stand by their lag, and a stream has that of its slowest", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto("/nats?view=consumers&consumers-sort=-lag");
  const table = page.getByRole("group", { name: "Consumers" });
  await expect(table.getByRole("row").nth(1)).toBeVisible();
  await expect(table.getByRole("columnheader", { name: "Sort by Lag" })).toHaveAttribute("aria-sort", "descending");
  await table.getByRole("button", { name: "Sort by Lag" }).click();
  await expect(page).toHaveURL(/consumers-sort=lag/);
  await page.goto("/nats?stream=EVENTS");
  await expect(page.getByRole("region", { name: "EVENTS" })).toBeVisible();
  await page.waitForRequest((request) => request.url().endsWith("/streams") && request.headers()["aegis-unattended"] === "1");
  expect(asked.filter((url) => url.endsWith("/consumers"))).toEqual([]);
});

test("the log of an instance is followed", async ({ page }) => {
  await page.goto("/instance?service=trading&instance=trading-1");
  await page.locator("main").getByRole("link", { name: "Logs" }).click();
  await live(page);
  await expect(page.getByRole("region", { name: "trading-1" }).getByRole("listitem").first()).toBeVisible();
  await page.goto("/service?name=trading");
  await expect(page.getByRole("region", { name: "Logs" }).getByRole("listitem").first()).toBeVisible();
});

test("what all processes said is searched", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("link", { name: "Logs", exact: true }).click();
  const list = page.getByRole("region", { name: "Events" });
  await expect(list.getByRole("listitem").first()).toBeVisible();
  const service = (await list.getByRole("link").first().innerText()).replace(/-\d+$/, ""); // whoever has said something
  await list.getByRole("combobox", { name: "Service" }).selectOption(service);
  await list.getByRole("searchbox", { name: "Search" }).fill("nothing says this");
  await expect(list.getByText("Nothing like that was said in the last hour")).toBeVisible();
  await list.getByRole("searchbox", { name: "Search" }).fill("");
  await expect(list.getByRole("link").first()).toBeVisible();
  await expect(list.getByRole("link").filter({ hasNotText: service })).toHaveCount(0);
  expect(new URL(page.url()).search).toBe(`?service=${service}`);
});

test("moments of the audit trail are written as the console writes them, in the zone that is set", async ({ page }) => {
  await page.goto("/audit");
  await page.getByLabel("From", { exact: true }).fill("28.11.");
  await page.getByLabel("Until", { exact: true }).fill("2026-11-28 09:30");
  await expect(page.getByText("Written 2026-11-28 09:30")).toBeVisible();
  await expect(page).toHaveURL(/until=2026-11-28T01%3A30Z/);
  expect(new URL(page.url()).searchParams.has("since")).toBe(false);
});

test("who has signed in at one instance of the management goes on at another, with the same trail", async ({ page, desk }) => {
  const other = await desk.another("aegis.management", "management-2");
  try {
    await page.goto("/audit");
    const first = page.getByRole("group", { name: "Entries" }).getByRole("row").nth(1);
    await expect(first).toBeVisible();
    const newest = await page.request.get("/api/audit?limit=5");
    await page.goto(`${other.address}/audit`);
    await live(page);
    await expect(page.getByText("via management-2")).toBeVisible();
    await expect(first).toBeVisible();
    expect(await (await page.request.get(`${other.address}/api/audit?limit=5`)).json()).toEqual(await newest.json());
    const ended = await page.request.post(`${other.address}/api/market/unsubscribe`, { headers: { Origin: other.address }, data: { consumer: "nobody", everything: true } });
    expect(ended.ok()).toBe(true);
    const { entries } = (await (await page.request.get("/api/audit?limit=1")).json()) as { entries: { action: string; instance: string }[] };
    expect(entries[0]).toMatchObject({ action: "unsubscribe", instance: "management-2" });
  } finally {
    other.stop();
  }
});
