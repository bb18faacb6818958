import type { Bucket } from "../../api/types";
import { type BandPoint, gapThreshold } from "../../charts/band";
import { type LateStretch, lateStretches } from "../../charts/marks";

export interface Drawn {
  point: BandPoint;
  bucket: Bucket;
}

/** Numeric buckets as points in the middle of their bucket; the one that is still filling is drawn at the present. */
export function numericPoints(buckets: Bucket[], bucketSeconds: number, present: number): Drawn[] {
  const drawn: Drawn[] = [];
  for (const bucket of buckets) {
    if (bucket.avg === null || bucket.min === null || bucket.max === null) continue;
    const start = Date.parse(bucket.start) / 1000;
    const time = Math.max(start, Math.min(start + bucketSeconds / 2, present));
    drawn.push({ bucket, point: { time, min: bucket.min, avg: bucket.avg, max: bucket.max } });
  }
  return drawn;
}

/** Where readings arrived late, in epoch seconds. */
export function lateOf(buckets: Bucket[], bucketSeconds: number): LateStretch[] {
  const filled = buckets.map(({ start, late }) => ({ start: Date.parse(start) / 1000, late: late > 0 }));
  const starts = filled.map(({ start }) => start);
  return lateStretches(filled, bucketSeconds, gapThreshold(starts, bucketSeconds));
}

export interface Summary {
  count: number;
  late: number;
  min: number;
  avg: number;
  max: number;
  last: Bucket;
}

/** Figures over all buckets; null without any number. */
export function summaryOf(buckets: Bucket[]): Summary | null {
  let [count, late, sum] = [0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let last: Bucket | undefined;
  for (const bucket of buckets) {
    if (bucket.avg === null || bucket.min === null || bucket.max === null) continue;
    count += bucket.count;
    late += bucket.late;
    sum += bucket.avg * bucket.count;
    min = Math.min(min, bucket.min);
    max = Math.max(max, bucket.max);
    last = bucket;
  }
  return last ? { count, late, min, avg: sum / count, max, last } : null;
}
