import { test as base, type Browser, type BrowserContext, expect, type Page } from "@playwright/test";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const PASSWORD = "a password of the tests";
const AEGIS = new URL("../../../.venv/bin/aegis", import.meta.url).pathname;
const PYTHON = new URL("../../../.venv/bin/python", import.meta.url).pathname;
const ACTION_MS = 10_000;
const UP_MS = 120_000; // a few seconds where nobody else keeps the processors busy

/** A desk of its own on free ports, with the console that `make ui` has built. */
export class Desk {
  address = "";
  firstPassword = "";
  private port = 0;
  private readonly home = mkdtempSync(join(tmpdir(), "console-"));

  /** `settings` of its services beside the usual ones. */
  constructor(private readonly settings: Record<string, string> = {}) {}

  aegis(...parts: string[]): string {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("AEGIS_") && !name.startsWith("FORCE_"));
    const env: NodeJS.ProcessEnv = { ...(Object.fromEntries(kept) as NodeJS.ProcessEnv), AEGIS_HOME: this.home, AEGIS_MANAGEMENT_PORT: String(this.port), NO_COLOR: "1", ...this.settings };
    return execFileSync(AEGIS, parts, { env, encoding: "utf8", timeout: UP_MS });
  }

  async up(): Promise<void> {
    this.port = await freePort();
    const said = this.aegis("up", "--detach", "--market", "simulated");
    this.address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)![0];
    this.firstPassword = /password (\S+)/.exec(said)![1]!;
  }

  down(): void {
    this.aegis("down");
    rmSync(this.home, { recursive: true, force: true });
  }

  /** How a program joins the desk. */
  environment(): Record<string, string> {
    return JSON.parse(this.aegis("env", "--json")) as Record<string, string>;
  }

  /** One more instance of the management service, beside those of the desk's plan. */
  async another(module: string, instance: string): Promise<{ address: string; stop: () => void }> {
    const port = await freePort();
    const env = { ...process.env, ...this.environment(), AEGIS_INSTANCE: instance, AEGIS_MANAGEMENT_PORT: String(port) };
    const running = spawn(PYTHON, ["-m", module], { env, stdio: "ignore" });
    const address = `http://127.0.0.1:${port}`;
    const stop = () => void running.kill("SIGTERM");
    try {
      await expect(async () => expect((await fetch(`${address}/readyz`)).status).toBe(200)).toPass({ timeout: UP_MS });
    } catch (error) {
      stop();
      throw error;
    }
    return { address, stop };
  }

  pid(name: string): number {
    const { processes } = JSON.parse(this.aegis("ps", "--json")) as { processes: { name: string; pid: number }[] };
    return processes.find((one) => one.name === name)!.pid;
  }
}

/** The console keeps its port when it is started again, so that its pages find it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What breaks the page's own policy, or throws in it; it grows. */
export function errorsOf(page: Page): string[] {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && /Content Security Policy|hydrat/i.test(message.text()) && errors.push(message.text()));
  return errors;
}

interface OfAll {
  settings: Record<string, string>;
  desk: Desk;
  signedIn: string;
  shared: BrowserContext;
}

/** One desk and one browser for all tests; an error of a page fails its test. */
export const test = base.extend<object, OfAll>({
  settings: [{}, { scope: "worker", option: true }],
  desk: [
    async ({ settings }, use) => {
      const desk = new Desk(settings);
      try {
        await desk.up();
        await use(desk);
      } finally {
        desk.down();
      }
    },
    { scope: "worker", timeout: UP_MS },
  ],
  baseURL: async ({ desk }, use) => use(desk.address),
  /** A file with the session of the administrator. */
  signedIn: [
    async ({ desk, browser }, use) => {
      const context = await browser.newContext({ baseURL: desk.address });
      const page = await context.newPage();
      await signIn(page, desk);
      const file = join(mkdtempSync(join(tmpdir(), "session-")), "state.json");
      await context.storageState({ path: file });
      await context.close();
      await use(file);
    },
    { scope: "worker", timeout: UP_MS },
  ],
  /** The administrator's browser, which has loaded the scripts once. */
  shared: [
    async ({ desk, browser, signedIn }, use) => {
      const context = await contextOf(browser, desk, signedIn);
      await use(context);
      await context.close();
    },
    { scope: "worker", timeout: UP_MS },
  ],
  /** A tab of the shared browser; what a test has set in the browser goes with it. */
  page: async ({ shared }, use) => {
    const page = await shared.newPage();
    const errors = errorsOf(page);
    await use(page);
    expect(errors).toEqual([]);
    if (page.url().startsWith("http")) await page.evaluate(() => localStorage.clear());
    await page.close();
  },
});

export { expect };

/** A browser of the administrator's, in a window of its own. */
export async function contextOf(browser: Browser, desk: Desk, storageState: string): Promise<BrowserContext> {
  const context = await browser.newContext({ baseURL: desk.address, storageState, reducedMotion: "reduce" });
  context.setDefaultTimeout(ACTION_MS);
  return context;
}

/** Sign in with the first password, and set one's own. */
async function signIn(page: Page, desk: Desk): Promise<void> {
  await page.goto("/");
  await page.getByLabel("User").fill("admin");
  await page.getByLabel("Password").fill(`${desk.firstPassword}x`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("User or password is wrong.")).toBeVisible();
  await page.getByLabel("Password").fill(desk.firstPassword);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Password until now").fill(desk.firstPassword);
  await page.getByLabel("New password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("New password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
}

/** Wait until what is shown is live. */
export async function live(page: Page): Promise<void> {
  await expect(page.getByTestId("live-state")).toHaveAttribute("data-state", "live");
}
