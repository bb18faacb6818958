import { describe, expect, it } from "vitest";
import type { Asked } from "../../api/telemetry";
import type { Insight, LiveEvent, Series, TelemetryEvent } from "../../api/types";
import { type Arrival, ArrivalLog, KEPT_ARRIVALS, LEAST_ARRIVALS } from "./arrivalLog";
import { LiveSeries, mergeEvents, mergeInsights, mergeSeries } from "./liveSeries";

const T0 = Date.parse("2026-11-22T10:00:00Z");

function at(seconds: number): string {
  return new Date(T0 + seconds * 1000).toISOString().replace("Z", "000Z");
}

function event(eventId: string, seconds: number, value: LiveEvent["value"], more: Partial<LiveEvent> = {}): LiveEvent {
  const recordedAt = at(seconds);
  return {
    eventId,
    deviceId: "d",
    type: "temperature",
    value,
    unit: "C",
    recordedAt,
    receivedAt: recordedAt,
    storedAt: recordedAt,
    ...more,
  };
}

/** Arrivals `after` milliseconds after a question. */
function arrivedLater(after: number, askedAt: number, ...events: LiveEvent[]): Arrival[] {
  return events.map((each) => ({ arrivedAt: askedAt + after, event: each }));
}

/** Arrivals long enough after a question to be surely not in its answer. */
function arrivals(askedAt: number, ...events: LiveEvent[]): Arrival[] {
  return arrivedLater(500, askedAt, ...events);
}

const series: Asked<Series> = {
  askedAt: T0 + 100_000,
  answer: {
    type: "temperature",
    unit: "C",
    from: at(0),
    to: at(100),
    bucketSeconds: 10,
    settled: false,
    buckets: [{ start: at(10), count: 2, min: 1, avg: 2, max: 3, last: 3, late: 0 }],
  },
};

describe("merging arrivals into a series", () => {
  it("counts a reading into its bucket", () => {
    const [bucket] = mergeSeries(series, arrivals(series.askedAt, event("a", 15, 8)));
    expect(bucket).toMatchObject({ count: 3, min: 1, avg: 4, max: 8, last: 8 });
  });

  it("opens buckets on the edges of the others, in order", () => {
    const merged = mergeSeries(series, arrivals(series.askedAt, event("a", 99, 7), event("b", 4, 5)));
    expect(merged.map((bucket) => Date.parse(bucket.start) - T0)).toEqual([0, 10_000, 90_000]);
    expect(merged[2]).toMatchObject({ count: 1, min: 7, avg: 7, max: 7, last: 7 });
  });

  it("leaves out what the answer already holds, other types, other units and what lies before the window", () => {
    const old: Arrival = { arrivedAt: series.askedAt - 1_001, event: event("old", 15, 100) };
    const others = arrivals(
      series.askedAt,
      event("type", 15, 100, { type: "pressure" }),
      event("unit", 15, 100, { unit: "F" }),
      event("early", -1, 100),
    );
    expect(mergeSeries(series, [old, ...others])).toEqual(series.answer.buckets);
  });

  it.each([-900, 0, 100])(
    "does not count twice what may be in the answer already, %i ms after the question",
    (after) => {
      const [bucket] = mergeSeries(series, arrivedLater(after, series.askedAt, event("a", 15, 8)));
      expect(bucket).toMatchObject({ count: 2, min: 1, avg: 2, max: 8, last: 8 });
    },
  );

  it("counts what cannot be in the answer, however soon it arrived", () => {
    const soon = arrivedLater(10, series.askedAt, event("a", 95, 7), event("b", 96, 9));
    expect(mergeSeries(series, soon)[1]).toMatchObject({ count: 2, min: 7, avg: 8, max: 9, last: 9 });
  });

  it("counts words without inventing figures", () => {
    const words = { ...series, answer: { ...series.answer, buckets: [] } };
    expect(mergeSeries(words, arrivals(series.askedAt, event("a", 15, "idle")))[0]).toMatchObject({
      count: 1,
      min: null,
      avg: null,
      last: "idle",
    });
  });
});

describe("following arrivals", () => {
  it("counts each reading once, however often it is looked at", () => {
    const [log, live] = [new ArrivalLog(), new LiveSeries(series)];
    const count = () => live.with(log).find((bucket) => Date.parse(bucket.start) === T0 + 10_000)?.count;
    log.add([event("a", 15, 8)], series.askedAt + 500);
    expect([count(), count()]).toEqual([3, 3]);
    log.add([event("a", 15, 8), event("b", 16, 9)], series.askedAt + 600);
    expect(count()).toBe(4);
    expect(live.with(log)).toBe(live.with(log));
  });

  it("counts what was received late, and only what is counted at all", () => {
    const late = { receivedAt: at(15 + 61) };
    const [bucket] = mergeSeries(series, arrivals(series.askedAt, event("a", 15, 8, late), event("b", 15, 8)));
    expect(bucket).toMatchObject({ count: 4, late: 1 });
    const [unsure] = mergeSeries(series, arrivedLater(0, series.askedAt, event("a", 15, 8, late)));
    expect(unsure).toMatchObject({ count: 2, late: 0 });
  });
});

describe("remembering arrivals", () => {
  it("keeps each reading once, per type", () => {
    const log = new ArrivalLog();
    expect(log.add([event("a", 1, 1), event("a", 1, 1), event("a", 1, 2, { type: "pressure" })], T0)).toBe(true);
    expect(log.end).toBe(2);
    expect(log.add([event("a", 1, 1)], T0)).toBe(false);
  });

  it("forgets the oldest beyond number and age, and goes on counting", () => {
    const log = new ArrivalLog();
    for (let i = 0; i < KEPT_ARRIVALS + 5; i += 1) log.add([event(`e${i}`, i, i)], T0);
    expect(log.end).toBe(KEPT_ARRIVALS + 5);
    expect(log.start).toBe(5);
    expect(log.between(0)).toHaveLength(KEPT_ARRIVALS);
    log.add([event("new", 1, 1)], T0 + 60_000);
    expect(log.between(0)).toHaveLength(LEAST_ARRIVALS);
    expect(log.newest?.event.eventId).toBe("new");
    expect(log.between(log.end)).toEqual([]);
  });
});

describe("merging arrivals into insights", () => {
  const card: Insight = {
    type: "temperature",
    unit: "C",
    latest: 5,
    min: 4,
    avg: 5,
    max: 6,
    count: 3,
    lastRecordedAt: at(50),
  };
  const asked = { askedAt: T0, answer: { insights: [card] } };

  it("takes the newest by recording time as latest; a late reading only counts", () => {
    expect(mergeInsights(asked, arrivals(T0, event("a", 60, 9)))[0]).toMatchObject({
      latest: 9,
      max: 9,
      avg: 6,
      count: 4,
    });
    expect(mergeInsights(asked, arrivals(T0, event("a", 40, 1)))[0]).toMatchObject({
      latest: 5,
      min: 1,
      count: 4,
      lastRecordedAt: at(50),
    });
  });

  it("counts a reading that arrives with the answer when it is newer than the answer", () => {
    expect(mergeInsights(asked, arrivedLater(0, T0, event("a", 60, 9)))[0]).toMatchObject({ latest: 9, count: 4 });
    expect(mergeInsights(asked, arrivedLater(0, T0, event("a", 50, 5)))[0]).toMatchObject({ avg: 5, count: 3 });
    expect(mergeInsights(asked, arrivedLater(0, T0, event("a", 40, 1)))[0]).toMatchObject({ min: 1, count: 3 });
  });

  it("adds a card for a type that was not there", () => {
    const cards = mergeInsights(asked, arrivals(T0, event("a", 60, true, { type: "running", unit: null })));
    expect(cards[1]).toMatchObject({ type: "running", latest: true, avg: null, count: 1 });
  });
});

describe("merging arrivals into the table", () => {
  const rows = (...events: TelemetryEvent[]) => events.map((each) => each.eventId);
  const page = [event("c", 30, 1), event("b", 20, 1), event("a", 10, 1)];

  it("puts each reading once, newest first", () => {
    const merged = mergeEvents([page], arrivals(T0, event("d", 25, 1), event("b", 20, 1), event("e", 40, 1)), {
      type: null,
      from: T0,
      hasOlder: false,
    });
    expect(rows(...merged)).toEqual(["e", "c", "d", "b", "a"]);
  });

  it("breaks ties by event id, then type", () => {
    const merged = mergeEvents(
      [[]],
      arrivals(T0, event("x", 1, 1), event("y", 1, 1), event("x", 1, 1, { type: "z" })),
      { type: null, from: T0, hasOlder: false },
    );
    expect(merged.map((each) => each.eventId + each.type)).toEqual(["ytemperature", "xz", "xtemperature"]);
  });

  it("leaves to the next page what belongs to it, and filters type and window", () => {
    const late = arrivals(T0, event("late", 5, 1));
    expect(rows(...mergeEvents([page], late, { type: null, from: T0, hasOlder: true }))).toEqual(["c", "b", "a"]);
    expect(rows(...mergeEvents([page], late, { type: null, from: T0, hasOlder: false }))).toEqual([
      "c",
      "b",
      "a",
      "late",
    ]);
    expect(rows(...mergeEvents([[]], late, { type: null, from: T0 + 6_000, hasOlder: false }))).toEqual([]);
    expect(rows(...mergeEvents([[]], late, { type: "pressure", from: T0, hasOlder: false }))).toEqual([]);
  });
});
