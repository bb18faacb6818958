import { describe, expect, it } from "vitest";
import { timeLabels, timeTicks } from "./timeAxis";
import { momentOf, offsetAt, wallOf } from "./zone";

const BERLIN = "Europe/Berlin";
const at = (time: string) => Date.parse(time) / 1000;
const HOUR = 3_600;

/** What a wall in the zone shows at the ticks: `MM-DD HH:MM`. */
function shown(splits: number[], zone: string): string[] {
  return splits.map((split) => new Date(wallOf(split * 1000, zone)).toISOString().slice(5, 16).replace("T", " "));
}

describe("wall clocks", () => {
  it("know the offset on both sides of a change", () => {
    expect(offsetAt(Date.parse("2026-03-29T00:59:59Z"), BERLIN)).toBe(HOUR * 1000);
    expect(offsetAt(Date.parse("2026-03-29T01:00:00Z"), BERLIN)).toBe(2 * HOUR * 1000);
    expect(offsetAt(Date.parse("2026-07-01T00:00:00Z"), "Asia/Kathmandu")).toBe(5.75 * HOUR * 1000);
  });

  it("are the moment they show; the first of two, and the jump for one that is skipped", () => {
    const moment = (wall: string, zone = BERLIN) => new Date(momentOf(Date.parse(`${wall}Z`), zone)).toISOString();
    expect(moment("2026-06-01T12:00:00")).toBe("2026-06-01T10:00:00.000Z");
    expect(moment("2026-10-25T02:30:00")).toBe("2026-10-25T00:30:00.000Z");
    expect(moment("2026-03-29T02:30:00")).toBe("2026-03-29T01:00:00.000Z");
    // Chile puts its clocks forward at midnight: that day begins at one o'clock.
    expect(moment("2026-09-06T00:00:00", "America/Santiago")).toBe("2026-09-06T04:00:00.000Z");
  });
});

describe("ticks", () => {
  it.each([
    ["a day of 23 hours", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 24],
    ["a day of 25 hours", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 26],
  ])("every hour of %s", (_, from, to, count) => {
    const { splits, step } = timeTicks(at(from), at(to), 26, BERLIN);
    expect(step).toBe(HOUR);
    expect(splits).toHaveLength(count);
    expect(new Set(splits.slice(1).map((split, i) => split - (splits[i] as number)))).toEqual(new Set([HOUR]));
  });

  it.each([
    ["forward", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"],
    ["back", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"],
  ])("stay on their wall times when clocks are put %s", (_, from, to) => {
    const { splits } = timeTicks(at(from), at(to), 9, BERLIN);
    const hours = shown(splits, BERLIN).map((text) => text.slice(6));
    expect(hours).toEqual(["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00"]);
  });

  it("stand on midnights, whatever the length of the days", () => {
    const { splits } = timeTicks(at("2026-10-20T08:00:00Z"), at("2026-10-29T08:00:00Z"), 10, BERLIN);
    expect(shown(splits, BERLIN).every((text) => text.endsWith("00:00"))).toBe(true);
    expect(splits).toHaveLength(9);
  });

  it("stand on Mondays, on the first of months and of years", () => {
    const weeks = timeTicks(at("2026-09-01T00:00:00Z"), at("2026-11-01T00:00:00Z"), 10, BERLIN).splits;
    expect(weeks.map((split) => new Date(wallOf(split * 1000, BERLIN)).getUTCDay())).toEqual(weeks.map(() => 1));
    const months = timeTicks(at("2026-01-15T00:00:00Z"), at("2026-12-15T00:00:00Z"), 12, BERLIN).splits;
    expect(shown(months, BERLIN)[0]).toBe("02-01 00:00");
    expect(months).toHaveLength(11);
    const years = timeTicks(at("1998-05-01T00:00:00Z"), at("2026-05-01T00:00:00Z"), 6, BERLIN).splits;
    expect(timeLabels(years, 5 * 365 * 86_400, BERLIN)).toEqual(["2000", "2005", "2010", "2015", "2020", "2025"]);
  });

  it("are never more than a few too many, never outside, ascending", () => {
    for (const zone of [BERLIN, "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Santiago"]) {
      for (let length = 7; length < 4e9; length *= 3.7) {
        const from = at("2026-03-20T11:11:11Z") - length / 2;
        const { splits } = timeTicks(from, from + length, 12, zone);
        expect(splits.length).toBeLessThanOrEqual(15);
        expect(splits.every((split) => split >= from && split <= from + length)).toBe(true);
        expect([...splits].sort((one, other) => one - other)).toEqual(splits);
      }
    }
  });
});

describe("labels", () => {
  it("show the date where the day changes, in the zone", () => {
    const splits = ["2026-11-22T18:00:00Z", "2026-11-22T21:00:00Z", "2026-11-23T00:00:00Z"].map(at);
    expect(timeLabels(splits, 3 * HOUR, "UTC")).toEqual(["18:00\n11-22", "21:00", "00:00\n11-23"]);
    expect(timeLabels(splits, 3 * HOUR, "Asia/Kathmandu")).toEqual(["23:45\n11-22", "02:45\n11-23", "05:45"]);
  });

  it("tell the two hours of the same name apart", () => {
    const { splits, step } = timeTicks(at("2026-10-24T23:00:00Z"), at("2026-10-25T03:00:00Z"), 5, BERLIN);
    expect(timeLabels(splits, step, BERLIN)).toEqual(["01:00\n10-25", "02:00", "02:00\nUTC+1", "03:00", "04:00"]);
  });

  it("show seconds for short steps, days, months and years for long ones", () => {
    expect(timeLabels([at("2026-01-02T03:04:05Z"), at("2026-01-02T03:04:10Z")], 5, "UTC")[1]).toBe("03:04:10");
    const days = ["2025-12-30", "2025-12-31", "2026-01-01"].map((day) => at(`${day}T00:00:00Z`));
    expect(timeLabels(days, 86_400, "UTC")).toEqual(["12-30\n2025", "12-31", "01-01\n2026"]);
    expect(timeLabels(days.slice(1), 30 * 86_400, "UTC")).toEqual(["12\n2025", "01\n2026"]);
  });
});
