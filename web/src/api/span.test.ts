import { expect, it } from "vitest";
import { edgesOf, seriesWindow } from "./span";

const now = Date.parse("2026-11-22T10:00:07.250Z");

it("keeps the edges of a rolling window on whole steps, and the present inside", () => {
  for (const seconds of [60, 3_600, 21_600, 86_400, 604_800, 2_592_000]) {
    const { from, to, points } = seriesWindow({ kind: "rolling", seconds }, now);
    const step = (to - from) / points;
    expect(Number.isInteger(points)).toBe(true);
    expect(points).toBeLessThanOrEqual(363);
    expect(from % step).toBe(0);
    expect(from).toBeLessThanOrEqual(now - seconds * 1000);
    expect(to).toBeGreaterThan(now);
    expect(seriesWindow({ kind: "rolling", seconds }, now + 100).from % step).toBe(0);
  }
});

it("asks for fixed edges as they are", () => {
  expect(seriesWindow({ kind: "fixed", from: 5, to: 9 }, now)).toMatchObject({ from: 5, to: 9 });
  expect(edgesOf({ kind: "rolling", seconds: 10 }, now)).toEqual({ from: now - 10_000, to: now });
});
