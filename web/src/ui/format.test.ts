import { describe, expect, it } from "vitest";
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
