// Opens the fleet in new tabs of one signed-in browser; prints when, in ms since the navigation began, what was drawn.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("@playwright/test");
const { url, email, password, times } = JSON.parse(process.argv[2]);
const own = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({
  ...(existsSync(own) && { executablePath: own }),
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const first = await context.newPage();
await first.goto(url);
await first.getByLabel("Email").fill(email);
await first.getByLabel("Password", { exact: true }).fill(password);
await first.getByRole("button", { name: "Sign in" }).click();
await first.getByTestId("device-row").first().waitFor();
await first.close();

// Looked for at every frame, and timed when the frame after it begins: then it is on the screen.
await context.addInitScript(() => {
  const wanted = {
    rows: '[data-testid="device-row"]',
    counts: '[data-testid="roll-up-online"][data-count]',
    sparklines: '[data-testid="sparkline"]',
  };
  window.seen = {};
  const look = () => {
    for (const [name, selector] of Object.entries(wanted)) {
      if (name in window.seen || !document.querySelector(selector)) continue;
      window.seen[name] = null;
      requestAnimationFrame(() => setTimeout(() => (window.seen[name] = performance.now())));
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});
const views = [];
for (let time = 0; time < times; time += 1) {
  const page = await context.newPage();
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForFunction(() => ["rows", "counts", "sparklines"].every((name) => window.seen?.[name]));
  views.push(await page.evaluate(() => window.seen));
  await page.close();
  // Longer than any answer is kept.
  await new Promise((done) => setTimeout(done, 1_500));
}
await browser.close();
console.log(JSON.stringify(views));
