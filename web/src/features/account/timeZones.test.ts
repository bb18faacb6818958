import { expect, it } from "vitest";
import { matchingZones, timeZones } from "./timeZones";

it("finds a time zone by any part of its name, those that begin with it first", () => {
  const zones = timeZones();
  expect(zones[0]).toBe("UTC");
  expect(matchingZones(zones, "zur")).toContain("Europe/Zurich");
  expect(matchingZones(zones, "new york")).toEqual(["America/New_York"]);
  expect(matchingZones(["Asia/Yerevan", "Africa/Cairo", "America/Caracas"], "ca")[0]).toBe("Africa/Cairo");
  expect(matchingZones(zones, "  ")).toEqual([]);
  expect(matchingZones(zones, "a")).toHaveLength(8);
});
