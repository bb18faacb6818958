import { expect, type Locator, test } from "@playwright/test";
import { inspect, watch } from "../e2e/inspect";
import { own, password, reading, send, signIn, url } from "./server";

/** Milliseconds within which what is stored is on the page, with some patience for a busy machine. */
const SOON_MS = 3_000;

let complaints: string[];
/** Paths that were refused with 401, which the browser's console tells as an error. */
let unauthorized: Set<string>;

test.beforeEach(async ({ page }) => {
  complaints = [];
  unauthorized = new Set();
  await watch(page, (text) => complaints.push(text));
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const { pathname } = new URL(message.location().url || url);
    if (message.text().includes("status of 401")) unauthorized.add(pathname);
    else complaints.push(`${message.text()} (${pathname})`);
  });
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

async function count(figure: Locator): Promise<number> {
  return Number(await figure.getAttribute("data-count"));
}

/** Dots of the canvas that have the colour of the line. */
async function drawnDots(chart: Locator): Promise<number> {
  return chart.evaluate((element) => {
    const canvas = element.querySelector("canvas");
    const context = canvas?.getContext("2d");
    if (!canvas || !context) return 0;
    const brush = document.createElement("canvas").getContext("2d");
    if (!brush) return 0;
    brush.fillStyle = getComputedStyle(element).getPropertyValue("--chart-line").trim();
    brush.fillRect(0, 0, 1, 1);
    const wanted = brush.getImageData(0, 0, 1, 1).data.join();
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let dots = 0;
    for (let i = 0; i < data.length; i += 4) if (data.slice(i, i + 4).join() === wanted) dots += 1;
    return dots;
  });
}

test("from signing in to signing out: devices, a chart, a live reading, its duplicate in the books", async ({
  page,
}) => {
  await test.step("a wrong password is told", async () => {
    await page.goto(url);
    await expect(page).toHaveURL(/\/sign-in/);
    await expect(page.getByLabel("Email")).toBeVisible();
    await inspect(page);
    await signIn(page, "wrong");
    await expect(page.getByRole("alert")).toContainText("Email or password is not right");
    await inspect(page);
  });

  await test.step("the right one leads to the devices", async () => {
    await signIn(page);
    const rows = page.getByTestId("device-row");
    await expect(rows.filter({ hasText: "dev-001" })).toContainText("Boiler #3");
    await expect(rows.filter({ hasText: "dev-001" })).toContainText("Plant A");
    await expect(rows.filter({ hasText: "dev-002" })).toBeVisible();
    await expect(rows.filter({ hasText: "dev-100" })).toHaveCount(0);
    await inspect(page);
  });

  const event = reading(123.25);
  await test.step("a chart with data", async () => {
    await page.getByRole("link", { name: "Boiler #3" }).click();
    await expect(page.getByTestId("live-state")).toHaveText("Live");
    await page.getByText("24h", { exact: true }).click();
    const chart = page.getByRole("region", { name: "temperature (C)" }).getByTestId("chart");
    await expect.poll(async () => Number(await chart.getAttribute("data-points"))).toBeGreaterThan(100);
    await expect.poll(() => drawnDots(chart)).toBeGreaterThan(100);
    await inspect(page);
  });

  await test.step("a reading arrives live", async () => {
    const latest = page.locator('[data-testid="insight-latest"][data-type="temperature"]');
    await expect(latest).not.toHaveText("123.25 C");
    expect(await send(event)).toBe("stored");
    const row = page.locator(`[data-testid="event-row"][data-event-id="${event.eventId}"]`);
    await expect(row).toBeVisible({ timeout: SOON_MS });
    await expect(latest).toHaveText("123.25 C", { timeout: SOON_MS });
  });

  await test.step("sent again, it is counted as a duplicate", async () => {
    await page.getByRole("link", { name: "Books" }).click();
    const duplicate = page.getByTestId("books-duplicate");
    const balanced = page.getByTestId("books-balanced");
    await expect(balanced).toHaveAttribute("data-balanced", "true");
    const before = await count(duplicate);
    expect(await send(event)).toBe("duplicate");
    await expect.poll(() => count(duplicate)).not.toBe(before);
    expect(await count(duplicate)).toBe(before + 1);
    await expect(balanced).toHaveAttribute("data-balanced", "true");
    await expect(page.getByTestId("storage-forecast")).toContainText("Not enough history");
    await inspect(page);
  });

  await test.step("what cannot be stored is a dead letter", async () => {
    expect(await send(reading(1, "1980-01-01T00:00:00Z"))).toBe("dead");
    await page.getByRole("link", { name: "Dead letters" }).click();
    await page.getByRole("button", { name: /clock/ }).first().click();
    await expect(page.getByLabel("Event", { exact: true })).toHaveValue(/1980-01-01/);
    await inspect(page);
  });

  await test.step("signed out, nothing is shown any more", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByLabel("Email")).toBeVisible();
    await page.goto(`${url}/devices/dev-001`);
    await expect(page).toHaveURL(/\/sign-in\?next=/);
    await expect(page.getByLabel("Email")).toBeVisible();
  });
  expect([...unauthorized].sort()).toEqual(["/api/v1/auth/login", "/api/v1/me"]);
});

test("a session that the server has ended asks for the password where one is", async ({ page, playwright }) => {
  await page.goto(`${url}/books`);
  await signIn(page);
  await expect(page.getByTestId("books-stored")).toBeVisible();
  const elsewhere = await playwright.request.newContext({ storageState: await page.context().storageState() });
  const ended = await elsewhere.post(`${url}/api/v1/auth/logout`, { headers: own });
  expect(ended.status()).toBe(204);
  await elsewhere.dispose();

  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await expect(dialog).toBeVisible();
  await inspect(page);
  await dialog.getByLabel("Password", { exact: true }).fill(password);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByTestId("books-balanced")).toHaveAttribute("data-balanced", "true");
  expect([...unauthorized]).toContain("/api/v1/me");
});
