// Opens a device and asks for thirty days, again and again; prints after how many ms four charts were drawn.
import { asked, open, signIn } from "./browser.mjs";

const { url, times } = asked;
const { browser, context } = await open();
// Until something is clicked, time counts from the beginning of the navigation.
await context.addInitScript(() => (window.began = 0));
const page = await context.newPage();
await signIn(page);
await page.getByTestId("chart").first().waitFor();

/** Until four charts hold at least so many points, and the frame after that begins; ms since `window.began`. */
const drawn = (points) =>
  page.evaluate(
    (least) =>
      new Promise((done) => {
        const look = () => {
          const charts = [...document.querySelectorAll('[data-testid="chart"]')];
          const whole = charts.filter((chart) => Number(chart.dataset.points) >= least && chart.querySelector("canvas"));
          if (whole.length >= 4) requestAnimationFrame(() => setTimeout(() => done(performance.now() - window.began)));
          else requestAnimationFrame(look);
        };
        look();
      }),
    points,
  );
const note = () => {
  document.addEventListener("click", () => (window.began = performance.now()), { capture: true, once: true });
};

const taken = { "from the click": [], "the whole page loaded": [] };
for (let time = 0; time < times; time += 1) {
  // Longer than the server keeps an answer.
  await page.goto(url);
  await page.locator('[data-testid="chart"]').nth(3).waitFor();
  await page.waitForTimeout(1_500);
  await page.evaluate(note);
  await page.getByText("30d", { exact: true }).click();
  taken["from the click"].push(await drawn(400));
  await page.waitForTimeout(1_500);
  await page.goto(`${url}?range=30d`, { waitUntil: "commit" });
  taken["the whole page loaded"].push(await drawn(400));
}
await browser.close();
console.log(JSON.stringify(taken));
