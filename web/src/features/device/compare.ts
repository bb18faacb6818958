import type { Bucket } from "../../api/types";
import { bandColumns } from "../../charts/band";
import type { OtherLine } from "../../charts/marks";
import { momentOf, wallOf } from "../../charts/zone";

/** What a range is compared with. Times are epoch ms. */
export const comparisons = ["previous", "day", "week"] as const;
export type Comparison = (typeof comparisons)[number];

const DAY = 86_400_000;

/** Days by which the other period lies back; null where its distance is no whole number of days. */
function daysBack(comparison: Comparison, lengths: number[]): number | null {
  if (comparison === "day") return 1;
  if (comparison === "week") return 7;
  const whole = lengths.find((length) => length >= DAY && length % DAY === 0);
  return whole === undefined ? null : whole / DAY;
}

/**
 * The edges of the other period, as far apart as those of the range. A distance of days is one of the calendar: what stands
 * below six o'clock was measured at six o'clock, also when clocks were changed in between. The edges may be some buckets
 * further apart than `length`, which is that of the range as it was chosen.
 */
export function otherPeriod(
  comparison: Comparison,
  { from, to }: { from: number; to: number },
  zone: string,
  length: number = to - from,
): { from: number; to: number } {
  const wall = wallOf(from, zone);
  const days = daysBack(comparison, [length, wallOf(from + length, zone) - wall]);
  const start = days === null ? from - length : momentOf(wall - days * DAY, zone);
  return { from: start, to: start + to - from };
}

/** The averages of the other period as a line, `shift` ms later, with its gaps. */
export function otherLine(buckets: Bucket[], bucketSeconds: number, shift: number): OtherLine {
  const points = [];
  for (const { start, min, avg, max } of buckets) {
    if (min === null || avg === null || max === null) continue;
    points.push({ time: (Date.parse(start) + shift) / 1000 + bucketSeconds / 2, min, avg, max });
  }
  const [times, , , values] = bandColumns(points, bucketSeconds);
  return { times, values };
}

/** The value of a line at the point nearest to a time (epoch seconds) and not further than `within` seconds. */
export function valueNear(line: OtherLine, time: number, within: number): number | null {
  let low = 0;
  let high = line.times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((line.times[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  let best: number | null = null;
  let distance = within;
  for (const index of [low - 1, low]) {
    const at = line.times[index];
    const value = line.values[index];
    if (at === undefined || value == null || Math.abs(at - time) > distance) continue;
    distance = Math.abs(at - time);
    best = value;
  }
  return best;
}
