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

/** Every page that has a picture in the guide and is looked at in every run. A new page adds its line here. */
export const pages: readonly Pictured[] = [
  { name: "sign-in", path: "/sign-in", ready: "form", as: "nobody" },
  { name: "devices", path: "/devices", ready: "a[href='/devices/dev-001']", phone: true },
  { name: "device", path: "/devices/dev-001?range=24h", ready: "[data-testid=chart] canvas", phone: true },
  { name: "books", path: "/books", ready: "[data-testid=books-balanced]" },
  { name: "dead-letters", path: "/dead-letters", ready: "h1" },
  { name: "audit", path: "/audit", ready: "[data-testid=audit-row]" },
  { name: "account", path: "/account", ready: "[data-testid=session-row]" },
];
