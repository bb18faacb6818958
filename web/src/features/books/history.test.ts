import { describe, expect, it } from "vitest";
import { barsOf, byReason, countsOf, percent, stretches, totalOf } from "./history";

const at = (text: string) => Date.parse(text);
const hours = (edges: number[]) => edges.slice(1).map((edge, bar) => (edge - (edges[bar] as number)) / 3_600_000);
const ZURICH = "Europe/Zurich";

describe("the bars of the books", () => {
  const now = at("2026-11-23T07:12:00Z");

  it.each(Object.entries(stretches))("show %s in a readable number of pieces that the server takes", (_, length) => {
    for (const zone of ["UTC", ZURICH, "Asia/Kathmandu"]) {
      const { edges, stretch, step } = barsOf({ from: now - length, to: now }, zone);
      expect(edges.length - 1).toBeGreaterThanOrEqual(24);
      expect(edges.length - 1).toBeLessThanOrEqual(100);
      expect(stretch.from).toBeLessThanOrEqual(now - length);
      expect(stretch.to).toBeGreaterThanOrEqual(now);
      expect([...edges].sort((a, b) => a - b)).toEqual(edges);
      const widths = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
      expect((stretch.to - stretch.from) / widths[step]).toBeLessThanOrEqual(800);
    }
  });

  it("are whole days of the zone, of 23 and 25 hours where its clocks change", () => {
    const spring = barsOf({ from: at("2026-03-15T00:00:00Z"), to: at("2026-04-10T00:00:00Z") }, ZURICH);
    expect(new Date(spring.edges[0] as number).toISOString()).toBe("2026-03-14T23:00:00.000Z");
    expect(hours(spring.edges).filter((length) => length !== 24)).toEqual([23]);
    const autumn = barsOf({ from: at("2026-10-10T00:00:00Z"), to: at("2026-11-05T00:00:00Z") }, ZURICH);
    expect(hours(autumn.edges).filter((length) => length !== 24)).toEqual([25]);
  });

  it("have the hour that clocks show twice twice", () => {
    const { edges } = barsOf({ from: at("2026-10-24T20:10:00Z"), to: at("2026-10-25T10:00:00Z") }, ZURICH);
    expect(new Set(hours(edges))).toEqual(new Set([1]));
    expect(edges[0]).toBe(at("2026-10-24T20:00:00Z"));
  });

  it("hold what was received in them, and lose nothing", () => {
    const edges = [0, 10, 20, 30].map((minute) => minute * 60_000);
    const step = (minute: number, stored: number) => ({
      start: new Date(minute * 60_000).toISOString(),
      accepted: stored + 3,
      stored,
      duplicate: 1,
      dead: { clock: 2 },
      rejected: (stored > 1 ? { quota: 4 } : {}) as Record<string, number>,
    });
    const steps = [step(0, 1), step(9, 2), step(20, 3), step(29, 4)];
    const bars = countsOf(steps, edges);
    expect(bars.map((bar) => bar.stored)).toEqual([3, 0, 7]);
    expect(totalOf(bars)).toEqual({ accepted: 22, stored: 10, duplicate: 4, dead: 8, rejected: 12 });
    expect(byReason(steps, "rejected")).toEqual({ quota: 12 });
    expect([percent(1, 4), percent(0, 0)]).toEqual([25, null]);
  });
});
