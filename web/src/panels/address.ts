/** What is chosen on a dashboard, as the query of its address; what the document says anyway is left out. */

import type { Values } from "../api/dashboards";
import type { DashboardDocument, Range, RefreshSeconds } from "../api/dashboardTypes";

export const RANGES: readonly Range[] = ["15m", "1h", "6h", "24h", "7d", "30d", "90d"];
export const REFRESHES: readonly RefreshSeconds[] = [0, 5, 10, 30, 60, 300, 900];

export interface View {
  range: Range;
  refresh: RefreshSeconds;
  values: Values;
  /** Large, dark, without anything around. */
  tv: boolean;
}

const PREFIX = "var.";

export function viewOf(search: string, document: DashboardDocument): View {
  const query = new URLSearchParams(search);
  const range = RANGES.find((each) => each === query.get("range"));
  const refresh = REFRESHES.find((each) => String(each) === query.get("refresh"));
  const values: Values = {};
  for (const { name, kind } of document.variables ?? []) {
    const chosen = query
      .getAll(PREFIX + name)
      .filter(Boolean)
      .slice(0, kind === "device" ? 20 : 1);
    if (chosen.length > 0) values[name] = chosen;
  }
  return {
    range: range ?? document.range ?? "24h",
    refresh: refresh ?? document.refreshSeconds ?? 30,
    values,
    tv: query.get("tv") === "1",
  };
}

export function searchOf(view: View, document: DashboardDocument): string {
  const query = new URLSearchParams();
  if (view.range !== (document.range ?? "24h")) query.set("range", view.range);
  if (view.refresh !== (document.refreshSeconds ?? 30)) query.set("refresh", String(view.refresh));
  for (const [name, chosen] of Object.entries(view.values))
    for (const each of chosen) query.append(PREFIX + name, each);
  if (view.tv) query.set("tv", "1");
  const text = query.toString();
  return text ? `?${text}` : "";
}
