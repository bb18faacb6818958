import { describe, expect, it } from "vitest";
import type { DeviceSeries, Latest, Panel, PanelAnswer } from "../api/dashboardTypes";
import type { LiveEvent } from "../api/types";
import { figuresOf, keyOf, levelOf, refreshed, shareOf, stretchesOf, summaryOf, withLive } from "./values";

const bucket = (count: number, min: number | null, avg: number | null, max: number | null) =>
  ({ start: "2026-01-01T00:00:00Z", count, min, avg, max, last: avg }) as DeviceSeries["buckets"][number];
const series = (...buckets: ReturnType<typeof bucket>[]): DeviceSeries => ({
  deviceId: "d",
  type: "t",
  unit: "C",
  from: "",
  to: "",
  bucketSeconds: 60,
  settled: false,
  buckets,
});
const latest = (value: number, at: string): Latest => ({
  deviceId: "d",
  type: "t",
  unit: "C",
  value,
  recordedAt: at,
  receivedAt: at,
});
const answer = (part: Partial<PanelAnswer>): PanelAnswer => ({
  id: "p",
  series: [],
  latest: [],
  locations: [],
  attention: [],
  labels: {},
  unknown: [],
  truncated: false,
  problem: null,
  ...part,
});
const panel = (part: Partial<Panel>): Panel => ({ id: "p", kind: "stat", at: { x: 0, y: 0, w: 1, h: 1 }, ...part });
const event = (value: number, recordedAt: string): LiveEvent => ({
  eventId: "e",
  deviceId: "d",
  type: "t",
  unit: "C",
  value,
  recordedAt,
  receivedAt: recordedAt,
  storedAt: recordedAt,
});

describe("figures of panels", () => {
  it("weighs averages by readings, not by buckets", () => {
    const found = series(bucket(1, 0, 0, 0), bucket(9, 8, 10, 12), bucket(3, null, null, null));
    expect(summaryOf(found, "avg")).toBe(9);
    expect([summaryOf(found, "min"), summaryOf(found, "max"), summaryOf(found, "count")]).toEqual([0, 12, 13]);
    expect(summaryOf(series(bucket(3, null, null, null)), "avg")).toBeNull();
    expect(summaryOf(series(), "count")).toBe(0);
  });

  it("shows the latest reading with its course, or a sum of the range", () => {
    const given = answer({ series: [series(bucket(2, 1, 2, 3))], latest: [latest(5, "2026-01-01T00:00:00Z")] });
    expect(figuresOf(panel({}), given)).toMatchObject([
      { value: 5, unit: "C", recordedAt: "2026-01-01T00:00:00Z", course: [2] },
    ]);
    expect(figuresOf(panel({ show: "max" }), given)).toMatchObject([{ value: 3, recordedAt: null }]);
    expect(figuresOf(panel({ show: "count" }), given)).toMatchObject([{ value: 2, unit: null }]);
  });

  it("finds the level that is reached", () => {
    const levels = [
      { at: 90, level: "critical" as const },
      { at: 0, level: "good" as const },
      { at: 70, level: "warning" as const },
    ];
    expect([-1, 0, 69.9, 70, 1000].map((value) => levelOf(levels, value)?.level)).toEqual([
      undefined,
      "good",
      "good",
      "warning",
      "critical",
    ]);
    expect(levelOf(levels, "a word")).toBeNull();
    expect(stretchesOf(levels, 0, 100).map(({ from, to }) => [from, to])).toEqual([
      [0, 0.7],
      [0.7, 0.9],
      [0.9, 1],
    ]);
    expect(stretchesOf(levels, 80, 100).map((each) => each.level)).toEqual(["warning", "critical"]);
    expect([shareOf(-5, 0, 10), shareOf(5, 0, 10), shareOf(50, 0, 10)]).toEqual([0, 0.5, 1]);
  });

  it("puts live readings in place of older ones alone", () => {
    const given = answer({ latest: [latest(5, "2026-01-01T00:00:10Z")] });
    const late = withLive(new Map(), [event(1, "2026-01-01T00:00:09Z")]);
    expect(refreshed(given, late).latest[0]?.value).toBe(5);
    const newer = withLive(late, [event(6, "2026-01-01T00:00:11Z"), event(7, "2026-01-01T00:00:10.5Z")]);
    expect(refreshed(given, newer).latest[0]?.value).toBe(6);
    expect(newer.get(keyOf(given.latest[0] as Latest))?.value).toBe(6);
    expect(withLive(newer, [event(0, "2026-01-01T00:00:01Z")])).toBe(newer);
  });
});
