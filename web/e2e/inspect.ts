import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** Collects what a page does wrong without anybody seeing it: breaches of its policy, and exceptions. */
export async function watch(page: Page, complain: (text: string) => void): Promise<void> {
  await page.exposeFunction("complain", complain);
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (violation) => {
      const complain = (window as unknown as { complain(text: string): void }).complain;
      complain(`${violation.violatedDirective}: ${violation.blockedURI} ${violation.sample}`);
    });
  });
  page.on("pageerror", (error) => complain(String(error)));
}

/** Serious and critical findings of axe, and content wider than the window. */
export async function inspect(page: Page): Promise<void> {
  const result = await new AxeBuilder({ page }).analyze();
  const grave = result.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`)).toEqual([]);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
}
