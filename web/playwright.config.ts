import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

// The system's Chromium where there is one; otherwise the browser Playwright has installed.
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testMatch: "*.spec.ts",
  projects: [
    // The page against recorded answers: any answer at any moment.
    { name: "recorded", testDir: "e2e" },
    // The page against a running server; tests/system/test_page.py starts one and says where it is.
    { name: "real", testDir: "e2e-real" },
    // Pictures of every page of a running server, for the guide and to be looked at.
    { name: "pictures", testDir: "e2e-pictures" },
  ],
  workers: 1,
  reporter: "list",
  // The accessibility checks read every element of every page: minutes on a busy machine.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  use: {
    launchOptions: {
      ...(existsSync(chromium) && { executablePath: chromium }),
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    },
  },
});
