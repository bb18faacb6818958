// Opens a device and asks for thirty days, again and again; prints after how many ms four charts were drawn.
import { asked, open, signIn } from "./browser.mjs";

const { url, times } = asked;
const { browser, context } = await open();
const page = await context.newPage();
await signIn(page);
await page.getByTestId("chart").first().waitFor();

/** Until four charts hold another number of points than `before`, and the frame after that begins; ms since `window.began`. */
const drawn = (before) =>
  page.evaluate(
    (before) =>
      new Promise((done) => {
        const look = () => {
          const charts = [...document.querySelectorAll('[data-testid="chart"]')];
          const whole = charts.filter((chart) => chart.dataset.points !== before && chart.querySelector("canvas"));
          if (whole.length >= 4) requestAnimationFrame(() => setTimeout(() => done(performance.now() - window.began)));
          else requestAnimationFrame(look);
        };
        look();
      }),
    before,
  );
const note = () => {
  document.addEventListener("click", () => (window.began = performance.now()), { capture: true, once: true });
};

const taken = [];
for (let time = 0; time < times; time += 1) {
  // Longer than the server keeps an answer.
  await page.goto(url);
  await page.locator('[data-testid="chart"]').nth(3).waitFor();
  await page.waitForTimeout(1_500);
  const before = await page.getByTestId("chart").first().getAttribute("data-points");
  await page.evaluate(note);
  await page.getByText("30d", { exact: true }).click();
  taken.push(await drawn(before));
}
await browser.close();
console.log(JSON.stringify(taken));
