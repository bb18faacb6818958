import { expect, type Page, test } from "@playwright/test";
import { reading } from "./answers";
import { inspect, watch } from "./inspect";
import { RecordedServer } from "./recorded";

let server: RecordedServer;
let origin: string;
let complaints: string[];

test.beforeEach(async ({ page }) => {
  server = new RecordedServer();
  origin = await server.start();
  complaints = [];
  await watch(page, (text) => complaints.push(text));
});

test.afterEach(async () => {
  await server.stop();
  expect(complaints).toEqual([]);
});

async function signIn(page: Page, path = "/") {
  await page.goto(origin + path);
  await page.getByLabel("Email").fill("ada@example.com");
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
}

const places: { name: string; path: string; ready: (page: Page) => Promise<void> }[] = [
  {
    name: "devices",
    path: "/devices",
    ready: (page) => expect(page.getByRole("link", { name: "Boiler #3" })).toBeVisible(),
  },
  {
    name: "device",
    path: "/devices/dev-001",
    ready: async (page) => {
      await expect(page.getByTestId("chart").locator("canvas")).toHaveCount(2);
      await expect(page.getByTestId("event-row").first()).toBeVisible();
      await expect(page.getByTestId("live-state")).toHaveText("Live");
    },
  },
  { name: "books", path: "/books", ready: (page) => expect(page.getByTestId("books-stored")).toBeVisible() },
  { name: "audit", path: "/audit", ready: (page) => expect(page.getByTestId("audit-row")).toHaveCount(4) },
  {
    name: "account",
    path: "/account",
    ready: async (page) => {
      await expect(page.getByTestId("session-row")).toHaveCount(3);
      await expect(page.getByRole("button", { name: "Set up an authenticator" })).toBeVisible();
    },
  },
  {
    name: "dead-letters",
    path: "/dead-letters",
    ready: async (page) => {
      await page.getByRole("button", { name: /clock/ }).first().click();
      await expect(page.getByLabel("Event", { exact: true })).toBeVisible();
    },
  },
];

for (const scheme of ["light", "dark"] as const) {
  for (const width of [1280, 360]) {
    test(`every page is accessible and fits, ${scheme}, ${width} px`, async ({ page }, info) => {
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width, height: 800 });
      const shoot = async (name: string) => {
        await inspect(page);
        if (process.env.SCREENSHOTS) {
          await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${scheme}-${width}.png`, fullPage: true });
        } else await info.attach(name, { body: await page.screenshot(), contentType: "image/png" });
      };
      await page.goto(`${origin}/setup?token=abc`);
      await expect(page.getByLabel("Organisation", { exact: true })).toBeVisible();
      await shoot("setup");
      await page.goto(`${origin}/sign-in`);
      await expect(page.getByLabel("Email")).toBeVisible();
      await shoot("sign-in");
      await signIn(page);
      for (const place of places) {
        await page.goto(origin + place.path);
        await place.ready(page);
        await shoot(place.name);
      }
      server.balanced = false;
      await page.goto(`${origin}/books`);
      await expect(page.getByTestId("books-balanced")).toHaveAttribute("data-balanced", "false");
      await shoot("books-unbalanced");
      await page.goto(`${origin}/devices`);
      await page.getByRole("button", { name: "Add device" }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
      await shoot("add-device");
      await page.getByLabel("Device id").fill("dev-900");
      await page.getByRole("dialog").getByRole("button", { name: "Add device" }).click();
      await expect(page.getByTestId("device-key")).toContainText("tsk_");
      await shoot("first-key");
    });
  }
}

test("the content security policy is in force", async ({ page }) => {
  await page.goto(`${origin}/sign-in`);
  await expect(page.getByLabel("Email")).toBeVisible();
  await page.evaluate(() => {
    const style = document.createElement("style");
    style.textContent = "body { color: red }";
    document.head.append(style);
    try {
      document.createElement("script").textContent = "window.ran = true";
    } catch {
      // Refused, as it should be.
    }
  });
  const broken = () => complaints.map((text) => text.split(":")[0]).sort();
  await expect.poll(broken).toEqual(["require-trusted-types-for", "style-src-elem"]);
  complaints = [];
});

test("a wrong password is told and the right one leads to where one was going", async ({ page }) => {
  await page.goto(`${origin}/devices/dev-001?range=1h`);
  await page.getByLabel("Email").fill("ada@example.com");
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("not right");
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Boiler #3" })).toBeVisible();
  expect(page.url()).toContain("range=1h");
});

test("an address of another site is not followed after signing in", async ({ page }) => {
  await signIn(page, "/sign-in?next=//evil.example/");
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
  expect(page.url().startsWith(origin)).toBe(true);
});

test("a session that ends meanwhile loses nothing that was typed", async ({ page }) => {
  await signIn(page, "/dead-letters");
  await page.getByRole("button", { name: /clock/ }).first().click();
  const body = page.getByLabel("Event", { exact: true });
  await body.fill('{"typed": true}');
  server.signedIn = false;
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await dialog.getByLabel("Password", { exact: true }).fill("correct horse");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await expect(dialog).toBeHidden();
  await expect(body).toHaveValue('{"typed": true}');
});

test("a new reading arrives in table and figures, a lost frame is fetched, a cut stream comes back", async ({
  page,
}) => {
  await signIn(page, "/devices/dev-001?range=1h");
  const state = page.getByTestId("live-state");
  await expect(state).toHaveText("Live");
  const latest = page.locator('[data-testid="insight-latest"][data-type="temperature"]');
  const row = (id: string) => page.locator(`[data-event-id="${id}"]`);
  const arrive = (eventId: string, value: number, skip = false) =>
    server.store(reading({ eventId, value, lateness: 0.2 }, Date.now()), { skip });

  arrive("live-1", 81.5);
  await expect(row("live-1")).toBeVisible({ timeout: 3_000 });
  await expect(latest).toHaveText("81.5 C", { timeout: 3_000 });

  arrive("lost", 82.5, true);
  arrive("live-2", 83.5);
  await expect(row("live-2")).toBeVisible();
  await expect(row("lost")).toBeVisible();

  server.streaming = false;
  server.cut();
  await expect(state).toHaveText("Reconnecting");
  arrive("while-away", 84.5);
  server.streaming = true;
  await expect(state).toHaveText("Live", { timeout: 10_000 });
  await expect(row("while-away")).toBeVisible();

  await page.getByRole("button", { name: "Pause live updates" }).click();
  await expect(state).toHaveText("Paused");
  arrive("while-paused", 85.5);
  await page.getByRole("button", { name: "Resume live updates" }).click();
  await expect(row("while-paused")).toBeVisible();
});

test("range and measurement stand in the address; older events follow page by page", async ({ page }) => {
  await signIn(page, "/devices/dev-001");
  await page.getByText("24h", { exact: true }).click();
  await expect(page).toHaveURL(/range=24h/);
  const charts = page.getByTestId("chart");
  await expect(charts).toHaveCount(2);
  await page.getByTestId("insight").filter({ hasText: "temperature" }).click();
  await expect(page).toHaveURL(/type=.*pressure/);
  await expect(charts).toHaveCount(1);
  await expect(charts).toHaveAttribute("aria-label", /Chart of pressure/);
  // Only the rows in sight are drawn; all that are loaded are counted.
  const table = page.getByRole("table");
  const loaded = () => server.requests.filter((request) => request.includes("/telemetry?")).length;
  await expect(page.getByTestId("event-row").first()).toBeVisible();
  expect(await page.getByTestId("event-row").count()).toBeLessThan(50);
  await expect(table).toHaveAttribute("aria-rowcount", "-1");
  const before = loaded();
  await page.getByRole("button", { name: "Show older events" }).click();
  await expect.poll(loaded).toBe(before + 1);
});

test("a dead letter is mended and replayed, another discarded", async ({ page }) => {
  await signIn(page, "/dead-letters");
  await page.getByRole("button", { name: /clock/ }).first().click();
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await expect(page.getByText("still dead")).toBeVisible();
  const body = page.getByLabel("Event", { exact: true });
  await body.fill((await body.inputValue()).replace("1970", "2026"));
  await page.getByRole("button", { name: "Save and replay" }).click();
  await expect(page.getByTestId("dead-letter-note")).toContainText("stored");
  await expect(page.getByTestId("dead-letter")).toHaveCount(1);
  await page
    .getByRole("button", { name: /conflict/ })
    .first()
    .click();
  await page.getByRole("button", { name: "Discard", exact: true }).click();
  await page.getByRole("button", { name: "Discard for good" }).click();
  await expect(page.getByTestId("dead-letter-note")).toContainText("Discarded");
});

test("sessions are listed, one is ended, then all", async ({ page }) => {
  await signIn(page, "/account");
  const rows = page.getByTestId("session-row");
  await expect(rows).toHaveCount(3);
  await expect(rows.first()).toContainText("This session");
  await page.getByRole("button", { name: "End the session of Chrome on Android" }).click();
  await expect(rows).toHaveCount(2);
  expect(server.requests).toContain("DELETE /api/v1/me/sessions/lost");
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(page.getByLabel("Email")).toBeVisible();
});

test("an invitation is accepted with a new account, or with the one that is there", async ({ page }) => {
  await page.goto(`${origin}/invitation?token=used`);
  await expect(page.getByRole("alert")).toContainText("used already");
  await page.goto(`${origin}/invitation?token=good`);
  await expect(page.getByText("Acme Corporation invites ada@example.com as viewer.")).toBeVisible();
  await page.getByLabel("Your name").fill("Ada");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await page.getByRole("button", { name: "Create account and join" }).click();
  await expect(page.getByText("Use at least 12 characters")).toBeVisible();
  await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
  await page.getByLabel("Repeat the password").fill("correct horse battery");
  await inspect(page);
  await page.getByRole("button", { name: "Create account and join" }).click();
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();

  server.signedIn = false;
  await page.goto(`${origin}/invitation?token=known`);
  await page.getByRole("link", { name: "Sign in as ada@example.com" }).click();
  await page.getByLabel("Email").fill("ada@example.com");
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Join Acme Corporation" }).click();
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
  expect(server.requests).toContain("POST /api/v1/me/invitations");
});

test("a forgotten password is asked for and set anew", async ({ page }) => {
  await page.goto(`${origin}/sign-in`);
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await page.getByLabel("Email").fill("ada@example.com");
  await page.getByRole("button", { name: "Send a link" }).click();
  await expect(page.getByRole("status")).toContainText("a link is on its way");
  for (const [token, outcome] of [
    ["used", "used already"],
    ["good", "password is changed"],
  ]) {
    await page.goto(`${origin}/reset?token=${token}`);
    await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
    await page.getByLabel("Repeat the password").fill("correct horse battery");
    await inspect(page);
    await page.getByRole("button", { name: "Change the password" }).click();
    await expect(page.getByText(outcome ?? "")).toBeVisible();
  }
});

test("a second factor is asked for after the password", async ({ page }) => {
  server.secondFactor = true;
  await signIn(page);
  const code = page.getByLabel("Code");
  await expect(code).toBeFocused();
  await expect(page.getByRole("alert")).toHaveCount(0);
  await inspect(page);
  await code.fill("000000");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("code is not right");
  await code.fill("123 456");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
});

test("a second factor is set up, and removed", async ({ page }) => {
  await signIn(page);
  await page.getByRole("link", { name: "Your account" }).click();
  const section = page.getByRole("region", { name: "Second factor" });
  await section.getByRole("button", { name: "Set up an authenticator" }).click();
  await expect(section.getByText("Enter your password")).toBeVisible();
  await section.getByLabel("Current password", { exact: true }).fill("wrong");
  await section.getByRole("button", { name: "Set up an authenticator" }).click();
  await expect(section.getByRole("alert")).toContainText("The current password is not right");
  await section.getByLabel("Current password", { exact: true }).fill("correct horse");
  await section.getByRole("button", { name: "Set up an authenticator" }).click();
  await expect(section.getByRole("img", { name: "Secret for the authenticator" })).toBeVisible();
  await expect(section.getByTestId("second-factor-secret")).toHaveText("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP");
  await inspect(page);
  await section.getByLabel("Code", { exact: true }).fill("000000");
  await section.getByRole("button", { name: "Turn on" }).click();
  await expect(section.getByText("This is not the code of now")).toBeVisible();
  await section.getByLabel("Code", { exact: true }).fill("123 456");
  await section.getByRole("button", { name: "Turn on" }).click();
  await expect(section.getByTestId("recovery-codes")).toContainText("aaaa-bbbb-cccc-ddd9");
  await inspect(page);
  await section.getByRole("button", { name: "I have kept them" }).click();
  await expect(section.getByTestId("second-factor-on")).toContainText("10 recovery codes are left");
  await inspect(page);
  await section.getByLabel("Current password", { exact: true }).fill("correct horse");
  await section.getByLabel("Code", { exact: true }).fill("000000");
  await section.getByRole("button", { name: "Turn off" }).click();
  await expect(section.getByRole("alert")).toContainText("Password or code is not right");
  await section.getByLabel("Code", { exact: true }).fill("123 456");
  await section.getByRole("button", { name: "Turn off" }).click();
  await expect(section.getByRole("button", { name: "Set up an authenticator" })).toBeVisible();
});

test("the password is changed, and asked for anew", async ({ page }) => {
  await signIn(page, "/account");
  const section = page.getByRole("region", { name: "Password" });
  const change = section.getByRole("button", { name: "Change the password" });
  await section.getByLabel("Current password", { exact: true }).fill("wrong");
  await section.getByLabel("New password", { exact: true }).fill("short");
  await change.click();
  await expect(section.getByText("Use at least 12 characters")).toBeVisible();
  await section.getByLabel("New password", { exact: true }).fill("correct horse battery");
  await section.getByLabel("Repeat the password", { exact: true }).fill("correct horse battery");
  await change.click();
  await expect(section.getByRole("alert")).toContainText("The current password is not right");
  await section.getByLabel("Current password", { exact: true }).fill("correct horse");
  await change.click();
  await expect(page).toHaveURL(/\/sign-in/);
  await expect(page.getByLabel("Email")).toBeVisible();
});

test("the audit is searched by person and outcome, and downloaded as it is shown", async ({ page }) => {
  await signIn(page, "/audit");
  const rows = page.getByTestId("audit-row");
  await expect(rows).toHaveCount(4);
  await expect(rows.first()).toContainText("change devices");
  await expect(rows.first()).toContainText("dev-001 · label: Boiler #3");
  await page.getByLabel("Outcome").selectOption("refused");
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText("refused issue keys");
  await page.getByLabel("Who").fill("nobody");
  await page.getByLabel("Who").press("Enter");
  await expect(page.getByText("No such records")).toBeVisible();
  const file = page.getByRole("link", { name: "Download as CSV" });
  await expect(file).toHaveAttribute("href", "/api/v1/audit/export?format=csv&actor=nobody&outcome=refused");
});
