import { type Browser, expect, type Page } from "@playwright/test";

export const TABLE = "section[aria-label=Instances] table";
/** Of the document: after how many milliseconds of its navigation the instances were there. */
export const USABLE = "data-usable";
/** So soon it is to be usable. */
export const MOST_USABLE_MS = 1_500;
const MOST_P95_MS = 50;
const MOST_MS = 200;

export async function watchUsable(page: Page): Promise<void> {
  await page.addInitScript((rows) => {
    new MutationObserver(() => {
      if (document.querySelector(`${rows} tbody a`)) document.documentElement.dataset.usable ??= performance.now().toFixed(0);
    }).observe(document, { subtree: true, childList: true });
  }, TABLE);
}

/** Do something, print and judge what tasks of the page's main thread took meanwhile, by the processor's time, which other programs do not lengthen. What a person waits, by the clock on the wall, is printed beside it. */
export async function judged(name: string, browser: Browser, page: Page, done: () => Promise<void>): Promise<void> {
  const tasks = await traced(browser, page, done);
  const [worked, waited] = [judgedBy(tasks.map((one) => one.worked)), judgedBy(tasks.map((one) => one.waited))];
  // eslint-disable-next-line no-console
  console.log(
    `${name}: ${worked.count} tasks over 1 ms: p95 ${worked.p95.toFixed(1)} ms, bar ${MOST_P95_MS}; longest ${worked.longest.toFixed(1)} ms, bar ${MOST_MS}; by the wall clock ${waited.count}: p95 ${waited.p95.toFixed(1)} ms, longest ${waited.longest.toFixed(1)} ms`,
  );
  expect.soft(worked.p95, name).toBeLessThan(MOST_P95_MS);
  expect.soft(worked.longest, name).toBeLessThan(MOST_MS);
}

interface Task {
  /** Of the processor, in milliseconds. */
  worked: number;
  /** On the wall clock, in milliseconds. */
  waited: number;
}

/** Of those over 1 ms. */
function judgedBy(times: number[]): { count: number; p95: number; longest: number } {
  const long = times.filter((ms) => ms > 1).sort((a, b) => a - b);
  return { count: long.length, p95: long[Math.ceil(long.length * 0.95) - 1]!, longest: long.at(-1)! };
}

async function traced(browser: Browser, page: Page, done: () => Promise<void>): Promise<Task[]> {
  await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"] });
  await done();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: { name: string; pid: number; tid: number; tdur?: number; dur?: number; args: { name?: string } }[] };
  const mains = new Set(traceEvents.filter((one) => one.name === "thread_name" && one.args.name === "CrRendererMain").map((one) => `${one.pid} ${one.tid}`));
  const found = traceEvents.filter((one) => one.name.endsWith("RunTask") && mains.has(`${one.pid} ${one.tid}`)).map((one) => ({ worked: (one.tdur ?? 0) / 1_000, waited: (one.dur ?? 0) / 1_000 }));
  expect(found.length).toBeGreaterThan(100);
  return found;
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
