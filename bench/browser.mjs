// A headless browser, and what it takes to be signed in there.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("@playwright/test");
const own = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** What the program that started this one wants. */
export const asked = JSON.parse(process.argv[2]);

/** A browser, and a profile of its own in it. */
export async function open() {
  const browser = await chromium.launch({
    ...(existsSync(own) && { executablePath: own }),
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  return { browser, context: await browser.newContext({ viewport: { width: 1280, height: 900 } }) };
}

/** Ask for the page and sign in there. */
export async function signIn(page) {
  await page.goto(asked.url);
  await page.getByLabel("Email").fill(asked.email);
  await page.getByLabel("Password", { exact: true }).fill(asked.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}
