/** The figures of panels, out of what the server has answered. */

import type { DeviceSeries, Latest, Panel, PanelAnswer, Threshold } from "../api/dashboardTypes";
import type { LiveEvent } from "../api/types";

export type Shown = number | string | boolean | null;

/** One figure of a stat, a gauge or a bar. */
export interface Figure {
  key: string;
  deviceId: string;
  type: string;
  unit: string | null;
  value: Shown;
  /** When it was recorded; null for what sums up a range. */
  recordedAt: string | null;
  /** Of a sparkline: one value per bucket. */
  course: (number | null)[];
}

export const keyOf = (of: { deviceId: string; type: string; unit?: string | null }): string =>
  JSON.stringify([of.deviceId, of.type, of.unit ?? null]);

/** One number for a whole series: averages weigh each bucket by its readings. Null where there are none. */
export function summaryOf(series: DeviceSeries, show: "avg" | "min" | "max" | "count"): number | null {
  let count = 0;
  let sum = 0;
  let numbers = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const bucket of series.buckets) {
    count += bucket.count;
    if (bucket.avg === null || bucket.min === null || bucket.max === null) continue;
    numbers += bucket.count;
    sum += bucket.avg * bucket.count;
    low = Math.min(low, bucket.min);
    high = Math.max(high, bucket.max);
  }
  if (show === "count") return count;
  if (numbers === 0) return null;
  return show === "avg" ? sum / numbers : show === "min" ? low : high;
}

/** What a stat, a gauge or bars by device show, in the order of the devices. */
export function figuresOf(panel: Panel, answer: PanelAnswer): Figure[] {
  const show = panel.show ?? "last";
  const courses = new Map(answer.series.map((series) => [keyOf(series), series]));
  const courseOf = (key: string) => courses.get(key)?.buckets.map((bucket) => bucket.avg) ?? [];
  if (show === "last") {
    return answer.latest.map((latest) => {
      const key = keyOf(latest);
      const { deviceId, type, unit, value, recordedAt } = latest;
      return { key, deviceId, type, unit, value: value as Shown, recordedAt, course: courseOf(key) };
    });
  }
  return answer.series.map((series) => {
    const key = keyOf(series);
    const { deviceId, type, unit } = series;
    const shownUnit = show === "count" ? null : unit;
    return {
      key,
      deviceId,
      type,
      unit: shownUnit,
      value: summaryOf(series, show),
      recordedAt: null,
      course: courseOf(key),
    };
  });
}

/** The level that a value has reached: that of the highest threshold at or below it. */
export function levelOf(thresholds: readonly Threshold[] | null | undefined, value: Shown): Threshold | null {
  if (typeof value !== "number" || !thresholds) return null;
  let found: Threshold | null = null;
  for (const each of thresholds) if (each.at <= value && (found === null || each.at >= found.at)) found = each;
  return found;
}

/** Where a value lies between the ends of a gauge, 0 to 1. */
export function shareOf(value: number, min: number, max: number): number {
  return Math.min(1, Math.max(0, (value - min) / (max - min)));
}

/** The stretches of a gauge in which a level holds, from 0 to 1. */
export function stretchesOf(thresholds: readonly Threshold[] | null | undefined, min: number, max: number) {
  const sorted = [...(thresholds ?? [])].sort((one, other) => one.at - other.at);
  return sorted
    .map((each, index) => ({
      level: each.level,
      from: shareOf(each.at, min, max),
      to: shareOf(sorted[index + 1]?.at ?? max, min, max),
    }))
    .filter((each) => each.to > each.from);
}

/** Newest readings by series, with live ones in place of older ones; the same object if nothing was new. */
export function withLive(
  known: ReadonlyMap<string, Latest>,
  events: readonly LiveEvent[],
): ReadonlyMap<string, Latest> {
  let next: Map<string, Latest> | null = null;
  for (const event of events) {
    const key = keyOf(event);
    const before = (next ?? known).get(key);
    if (before && Date.parse(before.recordedAt) > Date.parse(event.recordedAt)) continue;
    next ??= new Map(known);
    const { deviceId, type, unit, value, recordedAt, receivedAt } = event;
    next.set(key, { deviceId, type, unit, value, recordedAt, receivedAt });
  }
  return next ?? known;
}

/** An answer with what has come live since. A live reading never takes the place of a newer one. */
export function refreshed(answer: PanelAnswer, live: ReadonlyMap<string, Latest>): PanelAnswer {
  if (live.size === 0 || answer.latest.length === 0) return answer;
  const latest = answer.latest.map((each) => {
    const newer = live.get(keyOf(each));
    return newer && Date.parse(newer.recordedAt) > Date.parse(each.recordedAt) ? newer : each;
  });
  return { ...answer, latest };
}
