import { expect, type Page, test } from "@playwright/test";
import { inspect, watch } from "../e2e/inspect";
import { reading, send, signIn, url } from "./server";

let complaints: string[];

test.beforeEach(async ({ page }) => {
  complaints = [];
  await watch(page, (text) => complaints.push(text));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

const panel = (page: Page, name: string) => page.getByRole("article", { name, exact: true });

test("a dashboard is built, moved, saved, restored and shared; its link shows it to somebody without an account", async ({
  page,
  browser,
}) => {
  await page.goto(`${url}/dashboards`);
  await signIn(page);
  await page.getByRole("button", { name: "New dashboard" }).click();
  await page.getByLabel("Name").fill("Hall");
  await page.getByRole("button", { name: "Create" }).click();

  await test.step("panels are added, with what they will show", async () => {
    await page.getByRole("button", { name: "Add a panel" }).first().click();
    await page.getByRole("button", { name: /^Figure/ }).click();
    const dialog = page.getByRole("dialog", { name: "Add a panel" });
    await dialog.getByLabel("Title").fill("Boiler now");
    await dialog.getByLabel("Which").selectOption("ids");
    await dialog.getByLabel("Boiler #3 (dev-001)").check();
    const figures = dialog.getByTestId("preview").getByTestId("stat-value");
    await expect(figures).toHaveCount(1);
    await expect(figures).toContainText("C");
    await inspect(page);
    await dialog.getByRole("button", { name: "Add", exact: true }).click();

    await page.getByRole("button", { name: "Add a panel" }).click();
    await page.getByRole("button", { name: /^Line chart/ }).click();
    await page.getByRole("dialog").getByLabel("Title").fill("Temperatures");
    await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click();
    await expect(panel(page, "Temperatures").getByTestId("lines")).toHaveAttribute("data-lines", "2");
  });

  await test.step("a panel is moved with the keyboard, changed with the pointer, and both taken back", async () => {
    const cell = page.locator('[data-panel="p1"]');
    const before = await cell.getAttribute("style");
    await page.getByRole("button", { name: "Move Boiler now", exact: true }).press("ArrowRight");
    await expect(cell).not.toHaveAttribute("style", before ?? "");
    const moved = await cell.getAttribute("style");
    const corner = page.getByRole("button", { name: "Change the size of Boiler now" });
    // Waits until it stands still, too.
    await corner.hover();
    const box = await corner.boundingBox();
    if (!box) throw new Error("no corner");
    await page.mouse.down();
    await page.mouse.move(box.x + 10, box.y + 140, { steps: 4 });
    await page.mouse.up();
    await expect(cell).not.toHaveAttribute("style", moved ?? "");
    await page.getByRole("button", { name: "Undo", exact: true }).click();
    await expect(cell).toHaveAttribute("style", moved ?? "");
    await inspect(page);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Hall" })).toBeVisible();
  });

  await test.step("a reading is on it as soon as it is stored", async () => {
    await expect(panel(page, "Boiler now").getByTestId("stat-value")).toContainText("C");
    expect(await send(reading(71.5))).toBe("stored");
    await expect(panel(page, "Boiler now").getByTestId("stat-value")).toHaveText("71.5 C", { timeout: 10_000 });
  });

  await test.step("what is chosen is in the address", async () => {
    await page.getByLabel("Time range").selectOption("6h");
    await expect(page).toHaveURL(/range=6h/);
  });

  await test.step("an earlier version is restored", async () => {
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("button", { name: "Restore version 1" }).click();
    await expect(page.getByText("Nothing on this dashboard yet")).toBeVisible();
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("button", { name: "Restore version 2" }).click();
    await expect(panel(page, "Boiler now")).toBeVisible();
  });

  const link = await test.step("a link is made, shown once", async () => {
    await page.getByRole("button", { name: "Share", exact: true }).click();
    await page.getByLabel("What for").fill("Lobby");
    await page.getByRole("button", { name: "Create a link" }).click();
    return (await page.getByTestId("shared-link").innerText()).trim();
  });

  await test.step("behind the link is the dashboard, on a phone, until it is revoked", async () => {
    const guest = await (await browser.newContext({ viewport: { width: 360, height: 740 } })).newPage();
    await watch(guest, (text) => complaints.push(text));
    await guest.goto(link);
    await expect(panel(guest, "Boiler now").getByTestId("stat-value")).toHaveText("71.5 C");
    await expect(guest.getByRole("navigation")).toHaveCount(0);
    expect(await guest.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await inspect(guest);
    await guest.goto(`${url}/dashboards`);
    await expect(guest.getByLabel("Email")).toBeVisible();
    await page.getByRole("button", { name: "Revoke Lobby" }).click();
    await expect(page.getByText(/Revoked/)).toBeVisible();
    await guest.goto(link);
    await expect(guest.getByText("This link opens nothing")).toBeVisible();
    await guest.context().close();
  });
});
