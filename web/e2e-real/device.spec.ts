import { expect, type Locator, type Page, test } from "@playwright/test";
import { inspect, watch } from "../e2e/inspect";
import { type Reading, sendAll, signIn, url } from "./server";

/** The device page: charts with one zoom, the past, comparison, keys, facts. Its data is its own device's. */

const HOUR = 3_600_000;
const END = Math.floor(Date.now() / HOUR) * HOUR;
/** An id that was ever in use is taken. */
const DEVICE = `charts-${crypto.randomUUID().slice(0, 8)}`;

let complaints: string[];

test.beforeEach(async ({ page }) => {
  complaints = [];
  await watch(page, (text) => complaints.push(text));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

/** Two measurements every five minutes over six hours, with a gap and one spike; sent now, so received late. */
async function history() {
  const events: Reading[] = [];
  for (let i = 0; i < 72; i += 1) {
    if (i > 40 && i < 48) continue;
    const recordedAt = new Date(END - (72 - i) * 300_000).toISOString();
    const values = { temperature: i === 20 ? 99 : 20 + Math.sin(i / 6), pressure: 2 + Math.cos(i / 9) / 10 };
    for (const [type, value] of Object.entries(values)) {
      const unit = type === "pressure" ? "bar" : "C";
      events.push({ eventId: crypto.randomUUID(), deviceId: DEVICE, recordedAt, type, value, unit });
    }
  }
  expect(new Set(await sendAll(events))).toEqual(new Set(["stored"]));
}

const param = (page: Page, name: string) => new URL(page.url()).searchParams.get(name);
const edges = (page: Page) => [Date.parse(param(page, "from") ?? ""), Date.parse(param(page, "to") ?? "")] as const;

/** Where a chart is drawn on the screen, once it is there. */
async function areaOf(panel: Locator) {
  await panel.locator(".u-over").scrollIntoViewIfNeeded();
  const area = await panel.locator(".u-over").boundingBox();
  if (!area) throw new Error("no chart");
  return area;
}

test("an operator finds a spike, compares, asks what was known, and sees to the keys", async ({ page }) => {
  await history();
  const whole = `from=${new Date(END - 6 * HOUR).toISOString()}&to=${new Date(END).toISOString()}`;
  await page.goto(`${url}/devices/${DEVICE}?${whole}`);
  await signIn(page);
  const charts = page.getByTestId("chart");
  const temperature = page.getByRole("region", { name: "temperature (C)" });

  await test.step("charts of both measurements, with gap and late arrivals", async () => {
    await expect(charts.locator("canvas")).toHaveCount(2);
    await expect(temperature).toContainText("max 99 C");
    await expect(temperature).toContainText("65 received late");
    // A point a reading, and one that is none for the gap.
    await expect(temperature.getByTestId("chart")).toHaveAttribute("data-points", "66");
    await inspect(page);
  });

  await test.step("one cursor on all charts", async () => {
    const area = await areaOf(temperature);
    await page.mouse.move(area.x + (area.width * 20) / 72, area.y + 40);
    const readings = page.getByTestId("readout");
    await expect(readings.nth(1)).toContainText("average 99 C");
    const time = async (index: number) => (await readings.nth(index).innerText()).slice(0, 19);
    expect(await time(0)).toBe(await time(1));
  });

  await test.step("zoom by brush, keys, and the ways back", async () => {
    const area = await areaOf(temperature);
    await page.mouse.move(area.x + area.width * 0.2, area.y + 40);
    await page.mouse.down();
    await page.mouse.move(area.x + area.width * 0.4, area.y + 40, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => edges(page)[1] - edges(page)[0]).toBeLessThan(1.3 * HOUR);
    const marked = edges(page);
    await expect(temperature).toContainText("max 99 C");
    await charts.first().focus();
    await page.keyboard.press("-");
    await expect.poll(() => edges(page)[1] - edges(page)[0]).toBeGreaterThan(1.8 * HOUR);
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => edges(page)[0]).toBeGreaterThan(marked[0]);
    await page.keyboard.press("Escape");
    await expect.poll(() => edges(page)).toEqual([END - 6 * HOUR, END]);
    await page.goBack();
    await expect.poll(() => edges(page)[1] - edges(page)[0]).toBeLessThan(3 * HOUR);
    await page.goto(`${url}/devices/${DEVICE}?${whole}`);
    await page.getByRole("button", { name: "Zoom out" }).click();
    await expect.poll(() => edges(page)[1] - edges(page)[0]).toBe(12 * HOUR);
    await page.getByRole("button", { name: "Back", exact: true }).click();
    await expect.poll(() => edges(page)).toEqual([END - 6 * HOUR, END]);
  });

  await test.step("the period before, in the address", async () => {
    await page.getByLabel("Compare with").selectOption("previous");
    await expect(page).toHaveURL(/compare=previous/);
    await expect(page.getByTestId("readout").first()).toContainText("period before");
    await page.getByLabel("Compare with").selectOption("");
  });

  await test.step("before it was sent, nothing was known", async () => {
    await page.getByRole("button", { name: "What did we know at" }).click();
    await page.getByLabel("What was known at", { exact: true }).focus();
    await page.keyboard.press("Home");
    await expect(page.getByTestId("past")).toContainText("What was known at");
    await expect(page.getByTestId("live-state")).toHaveText("View of the past");
    await expect(page.getByText("Nothing was known of this time range yet")).toHaveCount(2);
    await expect(page.getByTestId("event-row")).toHaveCount(0);
    expect(Date.parse(param(page, "asOf") ?? "")).toBeLessThan(Date.now() - HOUR);
    await page.getByRole("button", { name: "Back to the present" }).click();
    await expect(charts.locator("canvas")).toHaveCount(2);
    await expect(page.getByTestId("event-row").first()).toBeVisible();
  });

  await test.step("the chart as files", async () => {
    const saved = page.waitForEvent("download");
    await temperature.getByRole("button", { name: "Save the temperature chart as a picture" }).click();
    expect((await saved).suggestedFilename()).toMatch(/^charts-.*-temperature-.*\.png$/);
    const steps = page.waitForEvent("download");
    await temperature.getByRole("button", { name: "Save the steps" }).click();
    expect((await steps).suggestedFilename()).toMatch(/\.csv$/);
    const raw = page.waitForEvent("download");
    await temperature.getByRole("link", { name: "Save all temperature readings" }).click();
    expect(await (await raw).failure()).toBeNull();
  });

  await test.step("another time zone, for axis and table alike", async () => {
    const first = page.getByTestId("event-row").first().locator("time").first();
    const before = await first.innerText();
    await page.getByLabel("Time zone").selectOption("Australia/Sydney");
    await expect(first).not.toHaveText(before);
    await page.getByLabel("Time zone").selectOption("");
  });

  await test.step("a key is issued, rotated and revoked", async () => {
    const keys = page.getByRole("region", { name: "Keys" });
    await keys.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Name").fill("firmware 1");
    await page.getByRole("dialog").getByRole("button", { name: "New key" }).click();
    await expect(page.getByTestId("device-key")).toContainText("tsk_");
    await page.getByRole("button", { name: "I have kept it" }).click();
    await keys.getByRole("button", { name: "Rotate firmware 1" }).click();
    await page.getByLabel("The old key goes on for").selectOption({ label: "an hour" });
    await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
    await page.getByRole("button", { name: "I have kept it" }).click();
    const rows = keys.getByTestId("device-key-row");
    await expect(rows).toHaveCount(2);
    await expect(rows.nth(1)).toHaveAttribute("data-state", "ending");
    await rows.nth(1).getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke the key" }).click();
    await expect(rows).toHaveCount(1);
  });

  await test.step("its facts are changed, and at last it is deleted", async () => {
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Label").fill("Chart test");
    await page.getByLabel("Tags").fill("one, two, one");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Chart test" })).toBeVisible();
    await expect(page.locator(".facts .tag")).toHaveText(["one", "two"]);
    await page.getByRole("button", { name: "Delete" }).click();
    const sure = page.getByRole("button", { name: "Delete the device" });
    await expect(sure).toBeDisabled();
    await page.getByLabel(`Type ${DEVICE} to confirm`).fill(DEVICE);
    await sure.click();
    await expect(page).toHaveURL(/\/devices$/);
  });
});
