// Opens the fleet in new tabs of one signed-in browser; prints when, in ms since the navigation began, what was drawn.
import { asked, open, signIn } from "./browser.mjs";

const { url, times } = asked;
const { browser, context } = await open();
const first = await context.newPage();
await signIn(first);
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
