/** How the figures of panels read. */

import type { Range, Threshold } from "../api/dashboardTypes";
import { text } from "../texts";
import { formatFixed, formatReading } from "../ui/format";
import type { Figure, Shown } from "./values";

export function formatFigure(value: Shown, unit: string | null, decimals?: number | null): string {
  if (typeof value === "number" && decimals !== null && decimals !== undefined) {
    return unit ? `${formatFixed(value, decimals)} ${unit}` : formatFixed(value, decimals);
  }
  return formatReading(value, unit);
}

/** What a figure is of: only as much as tells it from the others of its panel. */
export function nameOf(
  figure: Pick<Figure, "deviceId" | "type">,
  all: readonly Pick<Figure, "deviceId" | "type">[],
  labels: Record<string, string>,
): string {
  const label = labels[figure.deviceId] ?? figure.deviceId;
  const oneType = all.every((each) => each.type === figure.type);
  const oneDevice = all.every((each) => each.deviceId === figure.deviceId);
  if (oneType) return label;
  return oneDevice ? figure.type : `${label} · ${figure.type}`;
}

export const levelWord = (threshold: Threshold): string =>
  threshold.label || text(`dashboards:level.${threshold.level}`);

export const rangeWord = (range: Range): string => text(`dashboards:range.${range}`);

export const refreshWord = (seconds: number): string =>
  seconds === 0
    ? text("dashboards:refresh.never")
    : seconds < 60
      ? text("dashboards:refresh.seconds", { count: seconds })
      : text("dashboards:refresh.minutes", { count: seconds / 60 });
