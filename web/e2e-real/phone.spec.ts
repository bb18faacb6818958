import { devices, expect, type Page, test } from "@playwright/test";
import { inspect, watch } from "../e2e/inspect";
import { other, signIn, url } from "./server";

test.use({ ...devices["Pixel 7"], defaultBrowserType: undefined, viewport: { width: 360, height: 740 } });

const boiler = (page: Page) => page.getByRole("link", { name: "Boiler #3" });
const offline = (page: Page) => page.getByTestId("offline");
const place = (page: Page, name: string) => page.getByRole("navigation").getByRole("link", { name });
let complaints: string[];

test.beforeEach(async ({ page }) => {
  complaints = [];
  await watch(page, (text) => complaints.push(text));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

/** What this browser keeps for when there is no connection, as text; empty where it keeps nothing. */
async function kept(page: Page): Promise<string> {
  return page.evaluate(
    () =>
      new Promise<string>((resolve, reject) => {
        const asked = indexedDB.open("tslice", 1);
        asked.onupgradeneeded = () => asked.result.createObjectStore("kept");
        asked.onerror = () => reject(asked.error);
        asked.onsuccess = () => {
          const all = asked.result.transaction("kept").objectStore("kept").getAll();
          all.onsuccess = () => {
            asked.result.close();
            resolve(all.result.length > 0 ? JSON.stringify(all.result) : "");
          };
        };
      }),
  );
}

/** As when the person turns to something else: what was read so far is kept. */
async function turnAway(page: Page) {
  await page.evaluate(() => window.dispatchEvent(new Event("pagehide")));
}

test("on a phone: the fleet and a device by thumb, without a connection what was last seen, and nothing for the next", async ({
  page,
  context,
}) => {
  await page.goto(url);
  await signIn(page);
  await boiler(page).tap();
  await expect(page.getByRole("heading", { name: "Boiler #3", level: 1 })).toBeVisible();

  await test.step("the places are at the foot, large enough for a thumb", async () => {
    for (const link of await page.getByRole("navigation").getByRole("link").all()) {
      const box = await link.boundingBox();
      expect(box?.height).toBeGreaterThanOrEqual(44);
      expect(box?.width).toBeGreaterThanOrEqual(44);
      expect((box?.y ?? 0) + (box?.height ?? 0)).toBeGreaterThan(700);
    }
    await place(page, "Devices").tap();
    await expect(boiler(page)).toBeVisible();
    await inspect(page);
  });

  await test.step("language and colours are behind one button", async () => {
    await page.getByRole("button", { name: "Language and colours" }).tap();
    await page.getByLabel("Colours", { exact: true }).selectOption("dark");
    await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", "dark");
    await page.getByLabel("Language", { exact: true }).selectOption("de");
    await expect(place(page, "Geräte")).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "de");
    await inspect(page);
    await page.getByLabel("Sprache", { exact: true }).selectOption("en");
    await page.getByLabel("Colours", { exact: true }).selectOption("auto");
    await page.keyboard.press("Escape");
    await expect(page.getByLabel("Colours", { exact: true })).toBeHidden();
  });

  await test.step("without a connection it opens with what was last seen", async () => {
    await page.evaluate(() => navigator.serviceWorker.ready);
    await turnAway(page);
    await expect.poll(() => kept(page)).toContain("Boiler #3");
    await context.setOffline(true);
    await page.reload();
    await expect(boiler(page)).toBeVisible();
    await expect(offline(page)).toContainText(/as of \d\d?:\d\d/);
    await inspect(page);
    await place(page, "Books").tap();
    await expect(offline(page)).toContainText("not seen before");
    await context.setOffline(false);
    await expect(offline(page)).toBeHidden({ timeout: 30_000 });
    await expect(page.getByTestId("books-balanced")).toBeVisible();
  });

  await test.step("signed out, nothing is left", async () => {
    await page.getByRole("button", { name: "Language and colours" }).tap();
    await page.getByRole("button", { name: "Sign out" }).tap();
    await expect(page.getByLabel("Email")).toBeVisible();
    expect(await kept(page)).toBe("");
    await context.setOffline(true);
    await page.goto(`${url}/devices`);
    await expect(page.getByText("The server does not answer")).toBeVisible();
    await expect(boiler(page)).toHaveCount(0);
    await context.setOffline(false);
  });

  await test.step("who comes next sees their own, and nothing of who was there before", async () => {
    await page.goto(`${url}/devices`);
    await signIn(page, other.password, other.email);
    await expect(page.getByRole("link", { name: "Pump #9" })).toBeVisible();
    await turnAway(page);
    await expect.poll(() => kept(page)).toContain("Pump #9");
    expect(await kept(page)).not.toContain("Boiler #3");
  });
});
