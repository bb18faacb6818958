import { type BrowserContext, expect, type Page, test } from "@playwright/test";
import { inspect, watch } from "../e2e/inspect";
import { other, own, signIn, url } from "./server";

const MANY = 300;
const SOON_MS = 5_000;

let complaints: string[];

test.beforeEach(async ({ page }) => {
  complaints = [];
  await watch(page, (text) => complaints.push(text));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

const idOf = (number: number) => `unit-${String(number).padStart(3, "0")}`;

function reading(deviceId: string, value: number, ago: number) {
  const recordedAt = new Date(Date.now() - ago * 1000).toISOString();
  return { eventId: crypto.randomUUID(), deviceId, recordedAt, type: "level", value, unit: "m" };
}

async function gatewayKey(context: BrowserContext): Promise<string> {
  const answer = await context.request.post(`${url}/api/v1/keys`, {
    headers: own,
    data: { kind: "gateway", name: "fleet" },
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).key;
}

async function send(key: string, events: unknown[]) {
  const answer = await fetch(`${url}/api/v1/telemetry`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", Prefer: "wait=20" },
    body: JSON.stringify({ events }),
  });
  expect(answer.status, await answer.text()).toBe(200);
}

const rows = (page: Page) => page.getByTestId("device-row");

test("a fleet is found, watched, grouped and kept as a view", async ({ page, context }) => {
  await page.goto(`${url}/devices`);
  await signIn(page, other.password, other.email);
  await expect(rows(page).first()).toBeVisible();
  const key = await gatewayKey(context);
  const devices = Array.from({ length: MANY }, (_, number) => idOf(number));
  await send(key, [
    ...devices.map((device, number) => reading(device, number, 2)),
    ...devices.map((device, number) => reading(device, number + 5, 3_600)),
  ]);
  for (const number of [290, 291]) {
    const change = { headers: own, data: { location: "Hall 9", tags: ["crane"] } };
    expect((await context.request.patch(`${url}/api/v1/devices/${idOf(number)}`, change)).status()).toBe(200);
  }

  await test.step("all of them are there, a few are drawn", async () => {
    await page.reload();
    await expect(page.getByTestId("fleet-count")).toHaveText(/^3\d\d devices$/);
    await expect
      .poll(async () => Number(await page.getByTestId("roll-up-online").getAttribute("data-count")))
      .toBeGreaterThanOrEqual(MANY);
    await expect(rows(page).filter({ hasText: "unit-000" })).toContainText("0 m");
    await expect(rows(page).filter({ hasText: "unit-000" }).getByTestId("sparkline")).toBeVisible();
    expect(await rows(page).count()).toBeLessThan(50);
  });

  await test.step("a reading moves its row", async () => {
    const row = rows(page).filter({ hasText: "unit-001" });
    await send(key, [reading("unit-001", 77.5, 0)]);
    await expect(row).toContainText("77.5 m", { timeout: SOON_MS });
  });

  await test.step("one scrolls to the end, and comes back to the place", async () => {
    const last = rows(page).filter({ hasText: idOf(MANY - 1) });
    await expect(async () => {
      await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      await expect(last).toBeVisible({ timeout: 500 });
    }).toPass({ timeout: 30_000 });
    const place = await page.evaluate(() => window.scrollY);
    await last.getByRole("link").click();
    await expect(page).toHaveURL(new RegExp(`/devices/${idOf(MANY - 1)}`));
    await page.goBack();
    await expect(last).toBeVisible();
    expect(Math.abs((await page.evaluate(() => window.scrollY)) - place)).toBeLessThan(100);
  });

  await test.step("by keyboard: search, into the list, open", async () => {
    await page.keyboard.press("/");
    await expect(page.getByLabel("Search devices")).toBeFocused();
    await page.keyboard.type("UNIT-29");
    await expect(page.getByTestId("fleet-count")).toHaveText(/^10 of 3\d\d devices$/);
    await expect(rows(page)).toHaveCount(10);
    await expect(page).toHaveURL(/q=UNIT-29/);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    await expect(page.getByRole("link", { name: "unit-298" })).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/\/devices\/unit-298/);
    await page.goBack();
    await expect(page.getByLabel("Search devices")).toHaveValue("UNIT-29");
  });

  await test.step("a choice is a filter, and the view has a name", async () => {
    await page.getByRole("button", { name: "Tag", exact: true }).click();
    await page.getByLabel("crane").check();
    await expect(rows(page)).toHaveCount(2);
    await inspect(page);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Save view" }).click();
    await page.getByLabel("Name").fill("Cranes");
    await page.getByRole("dialog").getByRole("button", { name: "Save view" }).click();
    await page.getByRole("link", { name: "All devices" }).click();
    await expect(page.getByTestId("fleet-count")).toHaveText(/^3\d\d devices$/);
    await page.reload();
    await page.getByRole("link", { name: "Cranes" }).click();
    await expect(rows(page)).toHaveCount(2);
    await page.getByRole("button", { name: "Edit view" }).click();
    await page.getByLabel("Name").fill("Lifting");
    await page.getByRole("button", { name: "Rename" }).click();
    await expect(page.getByRole("link", { name: "Lifting" })).toHaveAttribute("aria-current", "page");
    await page.getByRole("button", { name: "Edit view" }).click();
    await page.getByRole("button", { name: "Delete view" }).click();
    await expect(page.getByRole("link", { name: "Lifting" })).toHaveCount(0);
  });

  await test.step("by location: each with its counts, and its devices when it is opened", async () => {
    await page.goto(`${url}/devices`);
    await page.getByRole("button", { name: "Group by location" }).click();
    const hall = page.getByRole("button", { name: /Hall 9/ });
    await expect(hall).toHaveAttribute("aria-expanded", "false");
    await hall.click();
    await expect(rows(page)).toHaveCount(2);
    await expect(hall).toContainText("2 devices");
    await inspect(page);
  });

  await test.step("what nothing matches can be cleared; on a phone rows are cards", async () => {
    await page.setViewportSize({ width: 360, height: 760 });
    await page.goto(`${url}/devices?q=nothing+like+it`);
    await expect(page.getByText("No device matches")).toBeVisible();
    await page.getByRole("button", { name: "Clear all filters" }).last().click();
    await expect(rows(page).first()).toBeVisible();
    await inspect(page);
  });
});
