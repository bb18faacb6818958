import { afterEach, describe, expect, it } from "vitest";
import { rememberLanguage, setTimeZone } from "../texts/locale";
import {
  formatBytes,
  formatDuration,
  formatLateness,
  formatNumber,
  formatReading,
  formatRelative,
  formatTime,
  formatTimeShort,
  fromInputTime,
  latenessOf,
  toInputTime,
} from "./format";

const now = new Date(2026, 10, 22, 14, 3, 5).getTime();
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

describe("times", () => {
  it("reads local, unambiguous, without the date on the same day", () => {
    expect(formatTime(now)).toBe("2026-11-22 14:03:05");
    expect(formatTimeShort(now, now)).toBe("14:03:05");
    expect(formatTimeShort(now, now + 86_400_000)).toBe("2026-11-22 14:03:05");
    expect(formatTime("nonsense")).toBe("–");
  });

  it.each([
    [0, "just now"],
    [-2, "just now"],
    [3, "3 s ago"],
    [59, "59 s ago"],
    [61, "1 min ago"],
    [3_599, "1 h ago"],
    [86_400, "1 d ago"],
    [-120, "in 2 min"],
  ])("%d s ago reads %s", (seconds, text) => {
    expect(formatRelative(ago(seconds), now)).toBe(text);
  });

  it("says never for a device that was never seen", () => {
    expect(formatRelative(null, now)).toBe("never");
  });

  it("goes to an input and back", () => {
    expect(toInputTime(now)).toBe("2026-11-22T14:03");
    expect(fromInputTime("2026-11-22T14:03")).toBe(now - 5_000);
    expect(fromInputTime("")).toBeNull();
  });
});

describe("lateness", () => {
  it("is receipt minus recording, and says when the device's clock is ahead", () => {
    expect(latenessOf({ recordedAt: ago(3), receivedAt: ago(1) })).toBe(2_000);
    expect(formatLateness(230)).toBe("230 ms");
    expect(formatLateness(-20)).toBe("0 ms");
    expect(formatLateness(-4_000)).toBe("4.0 s ahead");
    expect(formatLateness(Number.NaN)).toBe("–");
  });

  it("uses one unit", () => {
    expect([59_400, 59_600, 3_569_000, 3_571_000, 90_000_000].map(formatDuration)).toEqual([
      "59 s",
      "1 min",
      "59 min",
      "1 h",
      "1 d",
    ]);
  });
});

describe("values", () => {
  it.each([
    [0, "0"],
    [25.5, "25.5"],
    [69.9134567, "69.913"],
    [123_456.7, "123,457"],
    [0.00001234, "1.234e-5"],
    [-3.2e12, "-3.200e+12"],
  ])("%d reads %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it("keeps words and switches as they are", () => {
    expect(formatReading(25.5, "C")).toBe("25.5 C");
    expect(formatReading("idle", null)).toBe("idle");
    expect(formatReading(false)).toBe("false");
    expect(formatReading(null, "C")).toBe("–");
  });

  it("reads bytes in thousands", () => {
    expect([0, 999, 1_500, 214_400_000, 41_800_000_000].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.5 kB",
      "214 MB",
      "41.8 GB",
    ]);
  });
});

describe("a chosen time zone", () => {
  afterEach(() => setTimeZone(""));

  it("moves every time of the page", () => {
    setTimeZone("Asia/Kathmandu");
    expect(formatTime("2026-11-22T14:03:05Z")).toBe("2026-11-22 19:48:05");
    expect(fromInputTime("2026-11-22T19:48")).toBe(Date.parse("2026-11-22T14:03:00Z"));
    setTimeZone("Nowhere/Land");
    expect(formatTime("2026-11-22T14:03:05Z")).toBe("2026-11-22 19:48:05");
  });

  it.each([
    // Berlin skips 02:00 to 03:00 on 2026-03-29 and shows 02:00 to 03:00 twice on 2026-10-25.
    ["2026-03-29T01:59", "2026-03-29T00:59:00Z"],
    ["2026-03-29T02:30", "2026-03-29T01:30:00Z"],
    ["2026-03-29T03:00", "2026-03-29T01:00:00Z"],
    ["2026-10-25T01:59", "2026-10-24T23:59:00Z"],
    ["2026-10-25T02:30", "2026-10-25T00:30:00Z"],
    ["2026-10-25T03:00", "2026-10-25T02:00:00Z"],
  ])("%s in Berlin is %s", (input, moment) => {
    expect(fromInputTime(input, "Europe/Berlin")).toBe(Date.parse(moment));
  });

  it("is the inverse of what an input shows, all over a year", () => {
    for (const zone of ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"]) {
      for (let hour = Date.UTC(2026, 0, 1); hour < Date.UTC(2027, 0, 1); hour += 7 * 3_600_000) {
        const shown = toInputTime(hour, zone);
        expect(toInputTime(fromInputTime(shown, zone) as number, zone)).toBe(shown);
      }
    }
  });
});

describe("a chosen language", () => {
  afterEach(() => rememberLanguage("en"));

  it("groups and points numbers as it does", () => {
    rememberLanguage("de");
    expect([formatNumber(123_456.7), formatNumber(25.5), formatDuration(1_500), formatBytes(1_500)]).toEqual([
      "123.457",
      "25,5",
      "1,5 s",
      "1,5 kB",
    ]);
  });
});
