import { expect, type Page, test } from "@playwright/test";
import { inspect } from "../e2e/inspect";
import { provider, url } from "./server";

const byCompany = (page: Page) => page.getByRole("link", { name: "Sign in with The company" });

/** Says there who one is. */
async function tell(page: Page, name: string, groups: string[]) {
  await expect(page).toHaveURL((address) => address.origin === provider);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Claims").fill(JSON.stringify({ name: "Ann Keeper", email: "ann@corp.example", groups }));
  await page.getByRole("button", { name: "Continue" }).click();
}

test("with a provider: in with the group's role, out at both, and words for who is not let in", async ({ page }) => {
  await test.step("there and back to where one wanted to go", async () => {
    await page.goto(`${url}/devices/dev-001?range=1h`);
    await expect(page).toHaveURL(/\/sign-in\?next=/);
    await expect(byCompany(page)).toBeVisible();
    await inspect(page);
    await byCompany(page).click();
    await tell(page, "ann", ["keepers"]);
    await expect(page).toHaveURL(`${url}/devices/dev-001?range=1h`);
    await expect(page.getByTestId("tenant")).toHaveText("Acme Corporation");
    await expect(page.getByText("Ann Keeper", { exact: true })).toHaveAttribute("title", "Signed in as operator");
    const cookies = (await page.context().cookies(url)).filter((cookie) => cookie.name.startsWith("tslice_"));
    expect(cookies.map(({ name, httpOnly }) => [name, httpOnly])).toEqual([["tslice_session", true]]);
  });

  await test.step("out here and there", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page).toHaveURL((address) => address.origin === provider);
    await page.getByRole("button", { name: "Leave" }).click();
    await expect(page).toHaveURL(`${url}/sign-in`);
    await page.goto(`${url}/books`);
    await expect(page).toHaveURL(/\/sign-in\?next=/);
  });

  await test.step("who has no role is told so", async () => {
    await byCompany(page).click();
    // Had the session there not ended, nobody would be asked.
    await tell(page, "bob", ["strangers"]);
    await expect(page.getByRole("alert")).toContainText("have no role here");
    await expect(page).toHaveURL(`${url}/sign-in?refused=no_role`);
    await inspect(page);
  });

  await test.step("and who says no there", async () => {
    await page.context().clearCookies();
    await byCompany(page).click();
    await tell(page, "nobody", []);
    await expect(page.getByRole("alert")).toContainText("You have not signed in there");
  });
});

test("who leaves at the provider has left here", async ({ page }) => {
  await page.goto(`${url}/sign-in?next=/books`);
  await byCompany(page).click();
  await tell(page, "ann", ["keepers"]);
  await expect(page.getByTestId("books-stored")).toBeVisible();

  const elsewhere = await page.context().newPage();
  await elsewhere.goto(`${provider}/session/end`);
  await elsewhere.getByRole("button", { name: "Leave" }).click();
  await expect(elsewhere).toHaveURL(/\/success$/);
  await page.bringToFront();
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await expect(dialog).toBeVisible({ timeout: 30_000 });
  await inspect(page);
  await dialog.getByRole("link", { name: "Sign in with The company" }).click();
  await tell(page, "ann", ["keepers"]);
  await expect(page).toHaveURL(`${url}/books`);
  await expect(page.getByTestId("books-balanced")).toBeVisible();
});
