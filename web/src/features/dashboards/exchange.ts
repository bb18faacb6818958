/** Dashboards as files. */

import type { DashboardDocument, NewDashboard } from "../../api/dashboardTypes";

export const LARGEST = 200_000;

export function fileOf(name: string, document: DashboardDocument): string {
  return `${JSON.stringify({ name, document }, null, 2)}\n`;
}

export function fileNameOf(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/[^\w -]/g, "")
    .trim()
    .replace(/\s+/g, "-")
    .toLowerCase();
  return `${plain || "dashboard"}.json`;
}

/** What a file holds: our own, or a bare document. Null if it is neither; what is wrong within it the server says. */
export function readFile(text: string, fileName: string): NewDashboard | null {
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found !== "object" || found === null) return null;
    const whole = found as { name?: unknown; document?: unknown; schema?: unknown };
    if (typeof whole.document === "object" && whole.document !== null) {
      return {
        name: typeof whole.name === "string" && whole.name.trim() ? whole.name : nameFrom(fileName),
        document: whole.document as DashboardDocument,
      };
    }
    return "schema" in whole ? { name: nameFrom(fileName), document: found as DashboardDocument } : null;
  } catch {
    return null;
  }
}

function nameFrom(fileName: string): string {
  return fileName.replace(/\.json$/i, "") || "dashboard";
}
