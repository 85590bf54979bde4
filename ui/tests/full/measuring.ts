import { type Browser, expect, type Page } from "@playwright/test";

export const TABLE = "section[aria-label=Instances] table";
/** Of the document: after how many milliseconds of its navigation the instances were there. */
export const USABLE = "data-usable";
const MOST_P95_MS = 50;
const MOST_MS = 200;

export async function watchUsable(page: Page): Promise<void> {
  await page.addInitScript((rows) => {
    new MutationObserver(() => {
      if (document.querySelector(`${rows} tbody a`)) document.documentElement.dataset.usable ??= performance.now().toFixed(0);
    }).observe(document, { subtree: true, childList: true });
  }, TABLE);
}

/** Do something, print and judge what tasks of the page's main thread took meanwhile, by the processor's time, which other programs do not lengthen. */
export async function judged(name: string, browser: Browser, page: Page, done: () => Promise<void>): Promise<void> {
  const tasks = await traced(browser, page, done);
  const of = (part: number) => tasks[Math.ceil(tasks.length * part) - 1]!;
  // eslint-disable-next-line no-console
  console.log(`${name}: ${tasks.length} tasks over 1 ms: p95 ${of(0.95).toFixed(1)} ms, bar ${MOST_P95_MS}; longest ${of(1).toFixed(1)} ms, bar ${MOST_MS}`);
  expect.soft(of(0.95), name).toBeLessThan(MOST_P95_MS);
  expect.soft(of(1), name).toBeLessThan(MOST_MS);
}

/** The tasks over 1 ms, sorted. */
async function traced(browser: Browser, page: Page, done: () => Promise<void>): Promise<number[]> {
  await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"] });
  await done();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: { name: string; pid: number; tid: number; tdur?: number; args: { name?: string } }[] };
  const mains = new Set(traceEvents.filter((one) => one.name === "thread_name" && one.args.name === "CrRendererMain").map((one) => `${one.pid} ${one.tid}`));
  const found = traceEvents.filter((one) => one.name.endsWith("RunTask") && mains.has(`${one.pid} ${one.tid}`)).map((one) => (one.tdur ?? 0) / 1_000);
  expect(found.length).toBeGreaterThan(100);
  return found.filter((ms) => ms > 1).sort((a, b) => a - b);
}

/** What scripts of the page hold, after a collection, in MiB. */
export async function heapMiB(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize / (1 << 20);
}

/** Count what the live connection brings of a topic, once `arriving` asks for it. */
export async function countArriving(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const { set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage")!;
    const seen = { topic: "", rows: 0 };
    (window as unknown as { arriving: typeof seen }).arriving = seen;
    Object.defineProperty(WebSocket.prototype, "onmessage", {
      set(this: WebSocket, take: (event: MessageEvent<string>) => void) {
        set!.call(this, (event: MessageEvent<string>) => {
          if (seen.topic && event.data.includes(`"topic":"${seen.topic}"`)) {
            seen.rows += Object.keys((JSON.parse(event.data) as { rows?: object }).rows ?? {}).length;
          }
          take(event);
        });
      },
    });
  });
}

/** Rows of a topic that come in a second. */
export async function arriving(page: Page, topic: string, seconds: number): Promise<number> {
  return page.evaluate(
    async ([name, ms]) => {
      const seen = (window as unknown as { arriving: { topic: string; rows: number } }).arriving;
      Object.assign(seen, { topic: name, rows: 0 });
      const began = performance.now();
      await new Promise((resolve) => setTimeout(resolve, ms));
      seen.topic = "";
      return (seen.rows / (performance.now() - began)) * 1_000;
    },
    [topic, seconds * 1_000] as const,
  );
}
