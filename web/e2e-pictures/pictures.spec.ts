import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BrowserContextOptions, devices, expect, type Page, test } from "@playwright/test";
import { signIn, url } from "../e2e-real/server";
import { type Pictured, pages } from "./pages";
import { difference, type Thumbnail, thumbnailOf } from "./thumbnail";

/**
 * A picture of every page, light, dark and on a phone. Their data moves, so they are compared from afar with what they looked
 * like when the guide's pictures were made: an empty page, a broken layout or a lost style sheet is another picture, a
 * reading that has changed is not. `make pictures` makes the guide's pictures, and what to compare with, anew.
 */

/** Where the pictures go. */
const OUT = process.env.PICTURES ?? join(import.meta.dirname, "..", "test-results", "pictures");
/** Where the guide's pictures are made, if they are. */
const GUIDE = process.env.PICTURES_GUIDE;
const BEFORE = join(import.meta.dirname, "before.json");
interface Look {
  name: string;
  /**
   * Share of a picture that may look otherwise. Another reading has been seen to change 0.02; on a phone, where it moves what
   * is below it, 0.2. The most alike pages differ by 0.14, on a phone by 0.42.
   */
  most: number;
  options: BrowserContextOptions;
}

const looks: Look[] = [
  { name: "light", most: 0.1, options: { viewport: { width: 1280, height: 800 }, colorScheme: "light" } },
  { name: "dark", most: 0.1, options: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" } },
  {
    name: "phone",
    most: 0.3,
    options: { ...devices["Pixel 7"], viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 },
  },
];

const before: Record<string, Thumbnail> = JSON.parse(readFileSync(BEFORE, "utf8"));

const still = { animations: "disabled", caret: "hide" } as const;

/** Goes there, and waits until it is all there. */
async function show(page: Page, { path, ready, first }: Pictured): Promise<void> {
  await page.goto(url + path);
  await expect(page.locator(ready).first()).toBeVisible();
  await first?.(page);
  await expect(page.locator(".loading, .mantine-Skeleton-root, [data-state=connecting]")).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
}

for (const look of looks) {
  test(`every page, ${look.name}`, async ({ browser, page: blank }) => {
    mkdirSync(OUT, { recursive: true });
    const context = await browser.newContext({ ...look.options, locale: "en-GB", timezoneId: "Europe/Berlin" });
    const page = await context.newPage();
    const taken: Record<string, Thumbnail> = {};
    for (const pictured of [...pages].sort((a, b) => Number(b.as === "nobody") - Number(a.as === "nobody"))) {
      await test.step(pictured.name, async () => {
        if (pictured.as !== "nobody" && (await context.cookies()).length === 0) {
          await page.goto(`${url}/sign-in`);
          await signIn(page);
          await expect(page.getByTestId("tenant")).toBeVisible();
        }
        await show(page, pictured);
        const shot = await page.screenshot(still);
        const name = `${pictured.name}-${look.name}`;
        writeFileSync(join(OUT, `${name}.png`), shot);
        // Curves move most: they are left out.
        const plain = await page.screenshot({ ...still, mask: [page.locator("canvas")], maskColor: "#888888" });
        taken[name] = await thumbnailOf(blank, plain);
        if (GUIDE && look.name === "light") writeFileSync(join(GUIDE, `${pictured.name}.png`), shot);
        if (GUIDE && look.name === "phone" && pictured.phone) writeFileSync(join(GUIDE, `${name}.png`), shot);
        const known = before[name];
        if (!GUIDE && known) {
          expect.soft(difference(known, taken[name]), `${name} looks otherwise: ${OUT}`).toBeLessThanOrEqual(look.most);
        }
      });
    }
    if (GUIDE) writeFileSync(BEFORE, `${JSON.stringify(Object.assign(before, taken), null, 1)}\n`);
    await context.close();
  });
}

test("another page and other colours are another picture, and another reading is not", async ({ page }) => {
  const paint = async (html: string) => {
    await page.setContent(html);
    return page.screenshot();
  };
  const table = (ground: string, words: string) =>
    `<body bgcolor="${ground}">${Array.from({ length: 20 }, (_, n) => `<p>${words.repeat(6)} ${n}</p>`).join("")}`;
  const shots = [
    await paint(table("#f4f6f8", "a reading of 71.2")),
    await paint(table("#f4f6f8", "a reading of 69.8")),
    await paint(table("#101419", "a reading of 71.2")),
    await paint('<body bgcolor="#f4f6f8"><h1>Nothing</h1>'),
  ];
  await page.goto("about:blank");
  const thumbnails: Thumbnail[] = [];
  for (const shot of shots) thumbnails.push(await thumbnailOf(page, shot));
  const [known, reading, dark, empty] = thumbnails as [Thumbnail, Thumbnail, Thumbnail, Thumbnail];
  expect(difference(known, reading)).toBeLessThan(0.05);
  expect(difference(known, dark)).toBeGreaterThan(0.2);
  expect(difference(known, empty)).toBeGreaterThan(0.2);
  expect(difference(known, { ...known, columns: 3 })).toBe(1);
});
