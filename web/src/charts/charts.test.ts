import { describe, expect, it } from "vitest";
import { bandColumns, gapThreshold, isolatedPoints } from "./band";

const point = (time: number) => ({ time, min: time - 1, avg: time, max: time + 1 });

describe("gaps", () => {
  it("separates points further apart than one and a half buckets", () => {
    const [times, , , average] = bandColumns([point(0), point(10), point(20), point(60), point(70)], 10);
    expect(times).toEqual([0, 10, 20, 40, 60, 70]);
    expect(average).toEqual([0, 10, 20, null, 60, 70]);
  });

  it("does not tear a slow but steady sensor apart", () => {
    const [, , , average] = bandColumns([point(0), point(60), point(120), point(185), point(240)], 10);
    expect(average).not.toContain(null);
    expect(gapThreshold([0, 60, 120, 185, 240], 10)).toBe(180);
  });

  it("has columns of one length for any number of points", () => {
    for (const points of [[], [point(1)], [point(1), point(1_000)]]) {
      const columns = bandColumns(points, 10);
      expect(new Set(columns.map((column) => column.length)).size).toBe(1);
    }
  });

  it("finds the points that only a dot can show", () => {
    expect(isolatedPoints([1, null, 2, 3, null, 4])).toEqual([0, 5]);
    expect(isolatedPoints([7])).toEqual([0]);
    expect(isolatedPoints([])).toEqual([]);
  });
});
