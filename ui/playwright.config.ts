import { defineConfig } from "@playwright/test";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** `unit` needs neither browser nor desk; `desk` starts one of its own on free ports, and Debian's chromium; `full` fills one; `pictures` takes those of the documents. */
export default defineConfig({
  testDir: "tests",
  workers: 1,
  timeout: 60_000,
  forbidOnly: Boolean(process.env.CI),
  outputDir: "test-results",
  reporter: "line",
  expect: { timeout: 10_000 },
  maxFailures: 3,
  use: {
    actionTimeout: 10_000,
    launchOptions: {
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
    contextOptions: { reducedMotion: "reduce" },
  },
  projects: [
    { name: "unit", testDir: "tests/unit" },
    { name: "desk", testDir: "tests/desk" },
    { name: "full", testDir: "tests/full" },
    { name: "pictures", testDir: "tests/pictures" },
  ],
});
