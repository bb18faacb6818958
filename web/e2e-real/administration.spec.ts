import { readFile } from "node:fs/promises";
import { expect, test } from "@playwright/test";
import { inspect, watch } from "../e2e/inspect";
import { empty, signIn, url } from "./server";

let complaints: string[];

test.beforeEach(async ({ page }) => {
  complaints = [];
  await watch(page, (text) => complaints.push(text));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

/** So many devices as a spreadsheet writes them, the last but one twice. */
function list(count: number): string {
  const rows = Array.from({ length: count }, (_, n) => `meter-${n};Meter ${n};Hall ${n % 7};meter`);
  return ["Serial;Name;Site;Type", ...rows.slice(0, -1), rows[count - 3], rows.at(-1)].join("\r\n");
}

test("the day of an administrator: 500 devices, their keys, an invitation, and all of it in the audit", async ({
  page,
}) => {
  const places = page.getByRole("navigation", { name: "Administration" });

  const keys =
    await test.step("a list is looked at, imported without the bad row, and its keys are handed out", async () => {
      await page.goto(`${url}/administration`);
      await signIn(page, empty.password, empty.email);
      await page.getByRole("button", { name: "Import a list" }).click();
      const file = { name: "meters.csv", mimeType: "text/csv", buffer: Buffer.from(list(500)) };
      await page.getByLabel("Drop a file here").setInputFiles(file);
      await expect(page.getByTestId("import-status")).toContainText("New: 500");
      await expect(page.getByTestId("import-status")).toContainText("At fault: 1");
      const bad = page.getByTestId("import-row").first();
      await expect(bad).toHaveAttribute("data-outcome", "error");
      await expect(bad).toContainText("501");
      await expect(bad).toContainText("deviceId: The device is in line 499 already.");
      await inspect(page);
      await page.getByRole("button", { name: "Import 500 devices, leave out 1" }).click();
      await expect(page.getByTestId("imported")).toHaveText("500 keys handed out", { timeout: 30_000 });
      const waiting = page.waitForEvent("download");
      await page.getByRole("button", { name: "Download the keys (CSV)" }).click();
      return (await readFile(await (await waiting).path(), "utf8")).trim().split("\r\n");
    });
  expect(keys).toHaveLength(501);
  expect(keys[0]).toBe("deviceId,keyId,key");

  await test.step("a key that was handed out is good for its device", async () => {
    const [deviceId, , key] = (keys[1] ?? "").split(",");
    const answer = await fetch(`${url}/api/v1/telemetry`, {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", Prefer: "wait=20" },
      body: JSON.stringify({ eventId: crypto.randomUUID(), deviceId, recordedAt: Date.now(), type: "power", value: 1 }),
    });
    expect((await answer.json()).results[0].outcome).toBe("stored");
    await page.getByRole("button", { name: "Close", exact: true }).click();
    await page.getByLabel("Search devices").fill("meter-499");
    await expect(page.getByTestId("registered-device")).toHaveCount(1);
  });

  await test.step("a gateway key is shown once, and revoked", async () => {
    await places.getByRole("link", { name: "Keys" }).click();
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Name", { exact: true }).fill("roof gateway");
    await page.getByRole("dialog").getByRole("button", { name: "New key" }).click();
    await expect(page.getByTestId("issued-key")).toContainText("tsk_");
    await expect(page.getByTestId("curl-line")).toContainText("/api/v1/telemetry");
    await inspect(page);
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "Revoke roof gateway" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke", exact: true }).click();
    await expect(page.getByTestId("key-row").filter({ hasText: "roof gateway" })).toHaveCount(0);
  });

  await test.step("somebody is invited", async () => {
    await places.getByRole("link", { name: "People" }).click();
    await page.getByRole("button", { name: "Invite" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Email").fill("mary@example.org");
    await dialog.getByLabel("Role").selectOption("operator");
    await dialog.getByRole("button", { name: "Invite" }).click();
    await expect(page.getByTestId("made-link")).toContainText("/invitation?token=");
    await page.getByRole("button", { name: "Done" }).click();
    await expect(page.getByTestId("invitation-row")).toContainText("mary@example.org");
    await inspect(page);
  });

  await test.step("the audit tells all of it", async () => {
    await page.goto(`${url}/audit`);
    await expect(page).toHaveURL(`${url}/administration/audit`);
    const rows = page.getByTestId("audit-row");
    await expect(rows.filter({ hasText: "create invitations" }).first()).toContainText("mary@example.org");
    await expect(rows.filter({ hasText: "provision devices" }).first()).toContainText("created: 500");
    await expect(rows.filter({ hasText: "revoke keys" })).toHaveCount(1);
  });

  await test.step("the settings and the books are there, in German too", async () => {
    await places.getByRole("link", { name: "Settings" }).click();
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Campus");
    await inspect(page);
    await page.goto(`${url}/account`);
    await page.getByRole("region", { name: "Language and times" }).getByLabel("Language").selectOption("de");
    await expect(page.getByRole("heading", { name: "Ihr Konto" })).toBeVisible();
    await page.goto(`${url}/books`);
    await expect(page.getByRole("heading", { name: "Die Bücher gehen auf" })).toBeVisible();
    await expect(page.getByTestId("bars")).toBeVisible();
  });
});
