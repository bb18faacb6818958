/** Buckets of a series as the columns of a chart, with gaps where nothing was recorded. */

export interface BandPoint {
  /** Epoch seconds. */
  time: number;
  min: number;
  avg: number;
  max: number;
}

/** Columns: time (epoch seconds), max, min, avg; null stands for a gap. */
export type BandColumns = [number[], (number | null)[], (number | null)[], (number | null)[]];

/**
 * Points further apart than both 1.5 buckets and three usual spacings have a gap between them: a sensor that reports once a
 * minute is not full of gaps when drawn in buckets of ten seconds.
 */
export function gapThreshold(times: number[], bucketSeconds: number): number {
  // Numbers that are known to be numbers are sorted ten times as fast.
  const spacings = new Float64Array(Math.max(0, times.length - 1));
  for (let i = 1; i < times.length; i += 1) spacings[i - 1] = (times[i] as number) - (times[i - 1] as number);
  spacings.sort();
  const median = spacings[Math.floor(spacings.length / 2)] ?? 0;
  return Math.max(1.5 * bucketSeconds, 3 * median);
}

export function bandColumns(points: BandPoint[], bucketSeconds: number): BandColumns {
  const threshold = gapThreshold(
    points.map((point) => point.time),
    bucketSeconds,
  );
  const columns: BandColumns = [[], [], [], []];
  let previous: number | null = null;
  for (const point of points) {
    if (previous !== null && point.time - previous > threshold) push(columns, (previous + point.time) / 2, null);
    push(columns, point.time, point);
    previous = point.time;
  }
  return columns;
}

function push(columns: BandColumns, time: number, point: BandPoint | null): void {
  columns[0].push(time);
  columns[1].push(point?.max ?? null);
  columns[2].push(point?.min ?? null);
  columns[3].push(point?.avg ?? null);
}

/** Indices of points with a gap on both sides: a line cannot show them, a dot can. */
export function isolatedPoints(values: (number | null | undefined)[]): number[] {
  const isolated: number[] = [];
  for (let i = 0; i < values.length; i += 1) {
    const gapBefore = i === 0 || values[i - 1] == null;
    const gapAfter = i === values.length - 1 || values[i + 1] == null;
    if (values[i] != null && gapBefore && gapAfter) isolated.push(i);
  }
  return isolated;
}
