import { describe, expect, it } from "vitest";
import type { Bucket, KeyView } from "../../api/types";
import { tagsOf } from "../../ui/tags";
import { chartsOf, keyOfType, MOST_CHARTS, shownOf, toggled, withShown } from "./address";
import { bucketsCsv, fileName } from "./bucketsCsv";
import { otherLine, otherPeriod, valueNear } from "./compare";
import { isGood, keyState } from "./keyState";
import { lateOf, numericPoints, summaryOf } from "./seriesPoints";
import { arrivedAt, zoomedFrom, zoomedOut } from "./zoomHistory";

const bucket = (start: string, more: Partial<Bucket> = {}): Bucket => ({
  start,
  count: 1,
  min: 1,
  avg: 2,
  max: 3,
  last: 2,
  late: 0,
  ...more,
});

describe("the address of a device page", () => {
  it("survives both ways", () => {
    const shown = {
      types: ['["temperature","°C"]', '["running"]'],
      asOf: Date.parse("2026-11-22T10:00:00Z"),
      compare: "week" as const,
      live: false,
      eventType: "temperature",
    };
    expect(shownOf(withShown(new URLSearchParams("range=1h"), shown))).toEqual(shown);
    expect(withShown(new URLSearchParams("range=1h"), shown).get("range")).toBe("1h");
  });

  it("says nothing of what is as usual, and takes nonsense for nothing", () => {
    const usual = { types: null, asOf: null, compare: null, live: true, eventType: "" };
    expect(withShown(new URLSearchParams("live=off&asOf=x&compare=y&type=z&events=e"), usual).toString()).toBe("");
    expect(shownOf(new URLSearchParams("asOf=yesterday&compare=year&live=perhaps"))).toEqual(usual);
  });
});

describe("which measurements are on charts", () => {
  const type = (name: string, unit: string | null = null, kind = "number") => ({ type: name, unit, kind });
  const known = [type("a", "C"), type("b"), type("on", null, "boolean"), type("c"), type("d"), type("e")];
  const names = (types: { type: string }[]) => types.map((each) => each.type).join("");

  it("are the first four numbers, or those of the address in its order", () => {
    expect(names(chartsOf(known, null))).toBe("abcd");
    expect(names(chartsOf(known, [keyOfType(type("e")), keyOfType(type("a", "C")), '["gone"]']))).toBe("ea");
    expect(names(chartsOf(known, ['["gone"]']))).toBe("abcd");
    expect(names(chartsOf([type("on", null, "boolean")], null))).toBe("on");
    expect(chartsOf([], null)).toEqual([]);
  });

  it("are understood in an older way of writing, too", () => {
    expect(names(chartsOf(known, ['["b",null]', "c"]))).toBe("bc");
  });

  it("come and go one by one; the last one stays", () => {
    expect(toggled(["a"], "b")).toEqual(["a", "b"]);
    expect(toggled(["a", "b"], "a")).toEqual(["b"]);
    expect(toggled(["a"], "a")).toEqual(["a"]);
    const full = Array.from({ length: MOST_CHARTS }, (_, i) => `${i}`);
    expect(toggled(full, "more")).toBe(full);
  });
});

describe("the other period", () => {
  const BERLIN = "Europe/Berlin";
  const edges = (from: string, to: string) => ({ from: Date.parse(from), to: Date.parse(to) });
  const shown = ({ from, to }: { from: number; to: number }) =>
    [from, to].map((time) => new Date(time).toISOString().slice(0, 16));

  it("lies right before, as long as the range", () => {
    const hour = edges("2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z");
    expect(shown(otherPeriod("previous", hour, BERLIN))).toEqual(["2026-11-22T09:00", "2026-11-22T10:00"]);
    expect(shown(otherPeriod("day", hour, BERLIN))).toEqual(["2026-11-21T10:00", "2026-11-21T11:00"]);
  });

  it("begins at the same time of day, also when clocks were changed in between", () => {
    const monday = edges("2026-10-26T05:00:00Z", "2026-10-26T11:00:00Z");
    expect(shown(otherPeriod("week", monday, BERLIN))[0]).toBe("2026-10-19T04:00");
    expect(shown(otherPeriod("week", monday, "UTC"))[0]).toBe("2026-10-19T05:00");
    const longDay = edges("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    expect(shown(otherPeriod("previous", longDay, BERLIN))[0]).toBe("2026-10-23T22:00");
  });

  it("is drawn over the range, with its gaps", () => {
    const day = 86_400_000;
    const buckets = ["00:00", "00:10", "00:20", "09:00"].map((time) => bucket(`2026-11-21T${time}:00Z`));
    const line = otherLine([...buckets, bucket("2026-11-21T09:10:00Z", { avg: null })], 600, day);
    expect(line.values).toEqual([2, 2, 2, null, 2]);
    expect(line.times[0]).toBe(Date.parse("2026-11-22T00:05:00Z") / 1000);
    expect(valueNear(line, (line.times[0] as number) + 100, 600)).toBe(2);
    expect(valueNear(line, (line.times[0] as number) + 5_000, 600)).toBeNull();
  });
});

describe("going back from a zoom", () => {
  const rolling = { kind: "rolling", seconds: 3_600 } as const;
  const fixed = (from: number) => ({ kind: "fixed", from, to: from + 10 }) as const;

  it("goes the way it came, and the first span is never lost", () => {
    let history = zoomedFrom([], rolling);
    history = zoomedFrom(history, rolling);
    expect(history).toEqual([rolling]);
    for (let i = 0; i < 100; i += 1) history = zoomedFrom(history, fixed(i));
    expect(history[0]).toEqual(rolling);
    expect(history.length).toBeLessThan(40);
  });

  it("follows the browser's own Back, and begins anew elsewhere", () => {
    const history = zoomedFrom(zoomedFrom([], rolling), fixed(1));
    expect(arrivedAt(history, fixed(1))).toEqual([rolling]);
    expect(arrivedAt(history, rolling)).toEqual([]);
    expect(arrivedAt(history, fixed(7))).toEqual([]);
  });

  it("zooms out to twice the span, not into the future", () => {
    expect(zoomedOut({ from: 1_000, to: 2_000 }, 10_000)).toEqual({ kind: "fixed", from: 500, to: 2_500 });
    expect(zoomedOut({ from: 1_000, to: 2_000 }, 2_100)).toEqual({ kind: "fixed", from: 100, to: 2_100 });
  });
});

describe("points and figures of a chart", () => {
  const buckets = [
    bucket("2026-11-22T10:00:00Z", { late: 2, count: 3 }),
    bucket("2026-11-22T10:01:00Z", { late: 1, min: -5 }),
    bucket("2026-11-22T10:02:00Z", { avg: null, min: null, max: null }),
    bucket("2026-11-22T10:05:00Z", { late: 1, avg: 6, max: 9 }),
  ];
  const start = Date.parse("2026-11-22T10:00:00Z") / 1000;

  it("stand in the middle of their buckets, the newest not in the future", () => {
    const times = numericPoints(buckets, 60, start + 310).map((drawn) => drawn.point.time - start);
    expect(times).toEqual([30, 90, 310]);
  });

  it("join neighbouring late arrivals to one mark, not over a gap and not over what came in time", () => {
    const marks = (...list: [string, number][]) =>
      lateOf(
        list.map(([time, late]) => bucket(`2026-11-22T${time}Z`, { late })),
        60,
      ).map(({ from, to }) => [from - start, to - start]);
    expect(marks(["10:00:00", 1], ["10:01:00", 1], ["10:02:00", 0], ["10:03:00", 2])).toEqual([
      [0, 120],
      [180, 240],
    ]);
    expect(marks(["10:00:00", 1], ["10:05:00", 1], ["10:10:00", 1], ["11:00:00", 1])).toEqual([
      [0, 660],
      [3_600, 3_660],
    ]);
  });

  it("weigh buckets by their readings", () => {
    expect(summaryOf(buckets)).toMatchObject({ count: 5, late: 4, min: -5, max: 9, avg: (3 * 2 + 2 + 6) / 5 });
    expect(summaryOf([])).toBeNull();
  });
});

describe("the file of a chart", () => {
  it("has one line a bucket, safe for a spreadsheet", () => {
    const text = bucketsCsv({ type: '=a,"b"', unit: null, bucketSeconds: 60 }, [
      bucket("2026-11-22T10:00:00.000000Z", { min: -1.5, last: "@x" }),
    ]);
    expect(text.split("\r\n")).toEqual([
      "start,end,type,unit,count,min,avg,max,last,late",
      `2026-11-22T10:00:00.000Z,2026-11-22T10:01:00.000Z,"'=a,""b""",,1,-1.5,2,3,'@x,0`,
      "",
    ]);
    expect(fileName("dev/001", "température (°C)")).toBe("dev_001-temp_rature_C_");
  });
});

describe("a key of a device", () => {
  const now = Date.parse("2026-11-22T10:00:00Z");
  const key = { expiresAt: null, revokedAt: null, replacedBy: null, expiresSoon: false } as unknown as KeyView;

  it.each([
    [{}, "live", true],
    [{ expiresSoon: true, expiresAt: "2026-11-23T10:00:00Z" }, "ending", true],
    [{ replacedBy: "next", expiresAt: "2026-11-23T10:00:00Z" }, "ending", true],
    [{ replacedBy: "next", expiresAt: "2026-11-22T10:00:00Z" }, "expired", false],
    [{ expiresAt: "2026-12-22T10:00:00Z", revokedAt: "2026-11-01T10:00:00Z" }, "revoked", false],
  ])("%o is %s", (more, state, good) => {
    expect(keyState({ ...key, ...more }, now)).toBe(state);
    expect(isGood({ ...key, ...more }, now)).toBe(good);
  });
});

it("tags are typed with commas, and are each there once", () => {
  expect(tagsOf(" a, b,,a , b ")).toEqual(["a", "b"]);
  expect(tagsOf("")).toEqual([]);
});
