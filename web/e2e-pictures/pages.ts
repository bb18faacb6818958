import type { Page } from "@playwright/test";

export interface Pictured {
  /** Of the picture: docs/pictures/<name>.png. */
  name: string;
  path: string;
  /** Is there once the page shows what it is about. */
  ready: string;
  /** Something to do first, to show more. */
  first?(page: Page): Promise<void>;
  /** Is its picture on a phone in the guide, too: docs/pictures/<name>-phone.png? */
  phone?: boolean;
  /** Who sees it; the owner of the demo's tenant unless told. */
  as?: "nobody";
}

async function openGroups(page: Page): Promise<void> {
  for (const group of await page.locator(".group-head[aria-expanded=false]").all()) await group.click();
}

/** The ready-made dashboard of one device, made by the first who comes. */
async function openDashboard(page: Page): Promise<void> {
  const made = page.getByRole("link", { name: "One device" });
  if ((await made.count()) > 0) await made.first().click();
  else {
    await page.getByRole("button", { name: "Use it: One device" }).click();
    await page.getByRole("button", { name: "Create" }).click();
  }
  await page.locator(".dash-panel canvas").first().waitFor();
}

async function offerList(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Import a list" }).click();
  const rows = [
    "deviceId,label,location",
    "meter-1,Meter 1,Hall 1",
    "meter-2,Meter 2,Hall 2",
    "meter-1,Meter 3,Hall 1",
  ];
  const file = { name: "meters.csv", mimeType: "text/csv", buffer: Buffer.from(rows.join("\n")) };
  await page.getByLabel("Drop a file here").setInputFiles(file);
  await page.getByTestId("import-row").first().waitFor();
}

/** Every page that has a picture in the guide and is looked at in every run. A new page adds its line here. */
export const pages: readonly Pictured[] = [
  { name: "sign-in", path: "/sign-in", ready: "form", as: "nobody" },
  { name: "fleet", path: "/devices", ready: "a[href='/devices/dev-001']", phone: true },
  { name: "fleet-groups", path: "/devices?group=location", ready: ".group-head", first: openGroups },
  { name: "device", path: "/devices/dev-001?range=24h", ready: "[data-testid=chart] canvas", phone: true },
  { name: "dashboards", path: "/dashboards", ready: ".template" },
  { name: "dashboard", path: "/dashboards", ready: ".template", first: openDashboard },
  { name: "books", path: "/books", ready: "[data-testid=books-balanced]" },
  { name: "dead-letters", path: "/dead-letters", ready: "h1" },
  {
    name: "administration-import",
    path: "/administration/devices",
    ready: "h1",
    first: offerList,
  },
  { name: "people", path: "/administration/people", ready: "h1" },
  { name: "audit", path: "/administration/audit", ready: "[data-testid=audit-row]" },
  { name: "account", path: "/account", ready: "[data-testid=session-row]" },
];
