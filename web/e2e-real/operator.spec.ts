import { existsSync, readFileSync } from "node:fs";
import { expect, type Page, test } from "@playwright/test";
import { inspect, watch } from "../e2e/inspect";
import { type Reading, sendAll, signIn, url } from "./server";

/** The day of an operator: the boiler that fails, its failure from near, a dashboard of it for those who have no account. */

const MINUTE = 60_000;
const FROM = Date.parse("2013-12-13T00:00:00Z");
const TO = Date.parse("2013-12-20T00:00:00Z");
const DEVICE = `boiler-${crypto.randomUUID().slice(0, 8)}`;
/** Recorded by a machine whose temperature fails within those days; one that is made up stands in where it is not there. */
const FILE = process.env.PAGE_REAL_READINGS ?? "";

let complaints: string[];

test.beforeEach(async ({ page }) => {
  complaints = [];
  await watch(page, (text) => complaints.push(text));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

function recorded(): [number, number][] {
  if (existsSync(FILE)) {
    const rows = readFileSync(FILE, "utf8").trim().split("\n").slice(1);
    return rows.map((row) => [Date.parse(`${row.slice(0, 19).replace(" ", "T")}Z`), Number(row.slice(20))]);
  }
  const failure = Date.parse("2013-12-16T17:00:00Z");
  return Array.from({ length: (TO - FROM) / (5 * MINUTE) }, (_, step) => {
    const time = FROM + step * 5 * MINUTE;
    return [time, 85 + 5 * Math.sin(step / 40) - 82 * Math.exp(-(((time - failure) / (90 * MINUTE)) ** 2))];
  });
}

/** Sends a week of readings, one every five minutes; the lowest, and when it was. */
async function week(): Promise<{ low: number; at: number }> {
  const wanted = recorded().filter(([time]) => time >= FROM && time < TO);
  const events: Reading[] = wanted.map(([time, value]) => ({
    eventId: crypto.randomUUID(),
    deviceId: DEVICE,
    recordedAt: new Date(time).toISOString(),
    type: "temperature",
    value,
    unit: "C",
  }));
  for (let i = 0; i < events.length; i += 500) await sendAll(events.slice(i, i + 500));
  const [at, low] = wanted.reduce((lowest, each) => (each[1] < lowest[1] ? each : lowest));
  return { low, at };
}

const edges = (page: Page) => {
  const { searchParams } = new URL(page.url());
  return [Date.parse(searchParams.get("from") ?? ""), Date.parse(searchParams.get("to") ?? "")] as const;
};

test("an operator finds the boiler that fails, looks at the failure, and shares a dashboard of it", async ({
  page,
  browser,
}) => {
  const { low, at } = await week();
  const lowest = Intl.NumberFormat("en", { maximumSignificantDigits: 5 }).format(low);

  await test.step("it is found among the devices", async () => {
    await page.goto(`${url}/devices`);
    await signIn(page);
    await page.getByRole("searchbox").fill(DEVICE);
    await expect(page.getByTestId("device-row")).toHaveCount(1);
    await page.getByRole("link", { name: DEVICE }).click();
    await expect(page.getByRole("heading", { level: 1, name: DEVICE })).toBeVisible();
  });

  await test.step("nothing is recent; the days that were recorded are one step away", async () => {
    await page.getByRole("button", { name: /day before/ }).click();
    await expect(page.getByTestId("chart").locator("canvas")).toBeVisible();
    for (let days = 1; days < 7; days *= 2) {
      const before = edges(page);
      await page.getByRole("button", { name: "Zoom out" }).click();
      await expect.poll(() => edges(page)[0]).toBeLessThan(before[0]);
    }
    await expect(page.getByRole("region", { name: "temperature (C)" })).toContainText(`min ${lowest}`);
  });

  await test.step("the failure from near", async () => {
    const area = await page.getByTestId("chart").locator(".u-over").boundingBox();
    if (!area) throw new Error("no chart");
    const [from, to] = edges(page);
    const placeOf = (time: number) => area.x + (area.width * (time - from)) / (to - from);
    await page.mouse.move(placeOf(at - 720 * MINUTE), area.y + 60);
    await page.mouse.down();
    await page.mouse.move(placeOf(at + 720 * MINUTE), area.y + 60, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => edges(page)[1] - edges(page)[0]).toBeLessThan(3 * 1_440 * MINUTE);
    await expect(page.getByRole("region", { name: "temperature (C)" })).toContainText(`min ${lowest}`);
    const [start, end] = edges(page);
    expect(start).toBeLessThan(at);
    expect(end).toBeGreaterThan(at);
    await inspect(page);
  });

  const link = await test.step("a dashboard of it, with a link for those who have no account", async () => {
    await page.getByRole("link", { name: "Dashboards", exact: true }).first().click();
    await page.getByRole("button", { name: "Use it: One device" }).click();
    await page.getByLabel("Name").fill("The boiler that failed");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByLabel("Device", { exact: true }).selectOption({ label: DEVICE });
    await expect(page.getByTestId("stat-value").first()).toContainText("C");
    await page.getByRole("button", { name: "Share", exact: true }).click();
    await page.getByLabel("What for").fill("Maintenance");
    await page.getByRole("button", { name: "Create a link" }).click();
    return (await page.getByTestId("shared-link").innerText()).trim();
  });

  await test.step("who has the link sees it, signed in or not", async () => {
    const guest = await (await browser.newContext()).newPage();
    await watch(guest, (text) => complaints.push(text));
    await guest.goto(link);
    await expect(guest.getByRole("heading", { name: "The boiler that failed" })).toBeVisible();
    await expect(guest.getByTestId("stat-value").first()).toContainText("C");
    await guest.context().close();
  });
});
