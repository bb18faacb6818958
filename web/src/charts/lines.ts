/** Several series over one time axis: the columns of a chart, with gaps where a series has none. */

import { gapThreshold } from "./band";

export interface Line {
  label: string;
  points: { time: number; value: number }[];
  bucketSeconds: number;
}

/** Epoch seconds, then one column a line. Null is a gap; undefined where another line has a point and this one goes on. */
export type LineColumns = [number[], ...(number | null | undefined)[][]];

export function lineColumns(lines: readonly Line[]): LineColumns {
  const marks = lines.map((line) => {
    const threshold = gapThreshold(
      line.points.map((point) => point.time),
      line.bucketSeconds,
    );
    const values = new Map<number, number | null>();
    let previous: number | null = null;
    for (const { time, value } of line.points) {
      if (previous !== null && time - previous > threshold) values.set((previous + time) / 2, null);
      values.set(time, value);
      previous = time;
    }
    return values;
  });
  const times = [...new Set(marks.flatMap((values) => [...values.keys()]))].sort((one, other) => one - other);
  return [times, ...marks.map((values) => times.map((time) => values.get(time)))];
}
