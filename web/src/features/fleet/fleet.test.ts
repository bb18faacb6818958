import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Device, LiveEvent, LocationCounts } from "../../api/types";
import { byLocation, distinct, groupedItems, isOpen, neighbour, plainItems } from "./layout";
import { FLUSH_MS, LiveRows, merged, statusOf } from "./liveRows";
import { readViews, renamed, type SavedView, withView, writeViews } from "./savedViews";
import { shapeOf } from "./sparkPath";
import { cleared, isFiltered, sameView, searchOf, toggled, viewOf, withSort } from "./view";

const device = (deviceId: string, more: Partial<Device> = {}): Device => ({
  deviceId,
  label: deviceId,
  location: "",
  tags: [],
  status: "new",
  lastSeen: null,
  lastValues: [],
  createdAt: "2026-01-01T00:00:00.000000Z",
  ...more,
});

describe("the address of a view", () => {
  it.each([
    "",
    "q=boiler+3&status=late&status=silent&location=Plant+A&location=&type=temperature&tag=hot&tag=old",
    "sort=lastSeen&group=location&flip=Plant+A",
    "sort=status&order=desc",
    "order=desc",
  ])("%s is the view, both ways", (search) => {
    expect(searchOf(viewOf(search))).toBe(search);
  });

  it("says nothing that is so anyway, and nothing that is nonsense", () => {
    expect(searchOf(viewOf("sort=label&order=asc&flip=x"))).toBe("");
    expect(searchOf(viewOf("sort=weight&order=up&status=asleep&group=colour"))).toBe("");
    expect(viewOf("sort=lastSeen").order).toBe("desc");
  });

  it("is the same view in whatever order it was put together", () => {
    expect(sameView("tag=a&q=x&tag=b", "q=x&tag=b&tag=a")).toBe(true);
    expect(sameView("group=location&flip=x", "group=location")).toBe(true);
    expect(sameView("q=x", "q=y")).toBe(false);
  });

  it("turns the order when the same is chosen again", () => {
    const view = withSort(viewOf(""), "lastSeen");
    expect([view.sort, view.order]).toEqual(["lastSeen", "desc"]);
    expect(withSort(view, "lastSeen").order).toBe("asc");
  });

  it("is cleared of filters alone", () => {
    const view = viewOf("q=x&status=late&sort=status&group=location");
    expect(isFiltered(view)).toBe(true);
    expect(searchOf(cleared(view))).toBe("sort=status&group=location");
    expect(toggled(["a", "b"], "a")).toEqual(["b"]);
    expect(toggled(["b"], "a")).toEqual(["b", "a"]);
  });
});

describe("saved views", () => {
  const views: SavedView[] = [
    { name: "Failing", search: "status=silent" },
    { name: "Hot", search: "tag=hot" },
  ];
  const storage = () => {
    const kept = new Map<string, string>();
    return {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, text: string) => void kept.set(key, text),
    } as Storage;
  };

  it("are read as they were written, each person's by itself", () => {
    const kept = storage();
    expect(writeViews("me", views, kept)).toBe(true);
    expect(readViews("me", kept)).toEqual(views);
    expect(readViews("you", kept)).toEqual([]);
  });

  it("are none where others wrote, or where nothing is kept", () => {
    const kept = storage();
    for (const text of ["{", '"x"', '[1, null, {"name": ""}, {"name": "x"}]']) {
      kept.setItem("me", text);
      expect(readViews("me", kept)).toEqual([]);
    }
    const refusing = { getItem: () => null, setItem: () => raise() } as unknown as Storage;
    expect(writeViews("me", views, refusing)).toBe(false);
    expect(readViews("me", undefined)).toEqual([]);
  });

  it("have one name each", () => {
    expect(withView(views, { name: "Hot", search: "q=x" })).toEqual([views[0], { name: "Hot", search: "q=x" }]);
    expect(renamed(views, "Hot", "Failing")).toEqual([{ name: "Failing", search: "tag=hot" }]);
    expect(renamed(views, "Hot", "Hot")).toEqual(views);
  });
});

function raise(): never {
  throw new Error("refused");
}

describe("a sparkline", () => {
  it("goes along the greatest numbers and back along the least, once for each run", () => {
    const shape = shapeOf([0, 1, null, 2, null], [4, 3, null, 2, null], 14, 14);
    expect(shape).toMatchObject({ low: 0, high: 4, gaps: 1 });
    expect(shape?.path).toBe("M2 2L4.5 4.5L4.5 9.5L2 12ZM9.5 7L9.5 7Z");
  });

  it("is a line in the middle where nothing changes, and nothing where nothing is", () => {
    expect(shapeOf([5, 5], [5, 5], 14, 14)?.path).toBe("M2 7L12 7L12 7L2 7Z");
    expect(shapeOf([null, null], [null, null], 14, 14)).toBeNull();
    expect(shapeOf([], [], 14, 14)).toBeNull();
  });

  it("is drawn for numbers whose difference is none", () => {
    expect(shapeOf([-1.7e308], [1.7e308], 14, 14)?.path).toBe("M2 2L2 12Z");
  });
});

describe("rows that move", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const event = (deviceId: string, value: number, second: number, type = "t"): LiveEvent => ({
    eventId: `${deviceId} ${second}`,
    deviceId,
    type,
    unit: "C",
    value,
    recordedAt: `2026-01-01T00:00:0${second}.000000Z`,
    receivedAt: `2026-01-01T00:00:0${second}.500000Z`,
    storedAt: `2026-01-01T00:00:0${second}.600000Z`,
  });

  it("are told a few times a second, however much arrives, and only those that changed", () => {
    const rows = new LiveRows();
    const [told, other] = [vi.fn(), vi.fn()];
    const end = rows.watch("a", told);
    rows.watch("b", other);
    for (let i = 0; i < 1_000; i += 1) rows.take([event("a", i, 1)]);
    expect(rows.of("a")).toBeUndefined();
    vi.advanceTimersByTime(FLUSH_MS);
    expect([told.mock.calls.length, other.mock.calls.length]).toEqual([1, 0]);
    expect([...(rows.of("a")?.values.values() ?? [])].map(({ value }) => value)).toEqual([999]);
    vi.advanceTimersByTime(10 * FLUSH_MS);
    expect(told).toHaveBeenCalledTimes(1);
    end();
    rows.take([event("a", 1, 2)]);
    vi.advanceTimersByTime(FLUSH_MS);
    expect(told).toHaveBeenCalledTimes(1);
  });

  it("show the newest by recording, and when anything was received last", () => {
    const rows = new LiveRows();
    const late = { ...event("a", 3, 1), receivedAt: "2026-01-01T00:00:09.000000Z" };
    rows.take([event("a", 2, 5), late]);
    vi.advanceTimersByTime(FLUSH_MS);
    rows.take([event("a", 1, 4), event("a", 7, 2, "s")]);
    vi.advanceTimersByTime(FLUSH_MS);
    const row = merged(device("a", { lastSeen: "2026-01-01T00:00:03.000000Z" }), rows.of("a"));
    expect(row.lastSeen).toBe(late.receivedAt);
    expect(row.lastValues.map(({ type, value }) => [type, value])).toEqual([
      ["s", 7],
      ["t", 2],
    ]);
    const read = { type: "t", unit: "C", value: 8, recordedAt: "2026-01-01T00:00:06.000000Z" };
    expect(merged(device("a", { lastValues: [read] }), rows.of("a")).lastValues[1]).toEqual(read);
  });

  it("do not grow without end", () => {
    const rows = new LiveRows();
    const end = rows.watch("d0", () => undefined);
    for (let i = 0; i < 5_000; i += 1) rows.take([event(`d${i}`, i, 1)]);
    vi.advanceTimersByTime(FLUSH_MS);
    expect(rows.of("d0")).toBeDefined();
    expect(rows.of("d1")).toBeUndefined();
    expect(rows.of("d4999")).toBeDefined();
    end();
  });

  it("have the status that time gives them", () => {
    const seen = "2026-01-01T00:00:00.000000Z";
    const at = (seconds: number) => statusOf(seen, Date.parse(seen) + seconds * 1000);
    expect([at(299), at(300), at(3_599), at(3_600), statusOf(null, 0)]).toEqual([
      "online",
      "late",
      "late",
      "silent",
      "new",
    ]);
  });
});

describe("the rows of the list", () => {
  const counts = (location: string, online: number): LocationCounts => ({
    location,
    online,
    late: 0,
    silent: 0,
    new: 0,
  });
  const shown = (items: ReturnType<typeof plainItems>) =>
    items.map((item) =>
      item.kind === "device" ? item.device.deviceId : item.kind === "group" ? `[${item.counts.location}]` : "…",
    );

  it("are those that were read, and one that asks for more", () => {
    const items = plainItems({ devices: [device("a"), device("b")], more: true }, 9);
    expect(shown(items)).toEqual(["a", "b", "…"]);
    expect(items[1]).toMatchObject({ place: 2, of: 9 });
  });

  it("are under their location, as far as it is open", () => {
    const groups = [counts("", 1), counts("A", 3), counts("B", 2)];
    const read = new Map([["A", { devices: [device("a1")], more: true }]]);
    const items = groupedItems(
      groups,
      (location) => location !== "",
      (location) => read.get(location),
    );
    expect(shown(items)).toEqual(["[]", "[A]", "a1", "…", "[B]", "…"]);
    expect(items[2]).toMatchObject({ place: 1, of: 3 });
    expect([isOpen("A", [], 200), isOpen("A", [], 201), isOpen("A", ["A"], 200), isOpen("A", ["A"], 201)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it("are gone through by keys, past what is not there yet", () => {
    const items = [
      ...plainItems({ devices: [device("a")], more: true }, 2),
      ...plainItems({ devices: [device("b")], more: false }, 2),
    ];
    expect([neighbour(items, 0, 1), neighbour(items, 2, -1), neighbour(items, 2, 1), neighbour(items, -1, 1)]).toEqual([
      2, 0, 2, 0,
    ]);
  });

  it("are each there once, in the order of the list", () => {
    expect(distinct([device("a"), device("b"), device("a")]).map(({ deviceId }) => deviceId)).toEqual(["a", "b"]);
    const groups = byLocation([device("c", { location: "B" }), device("a"), device("b", { location: "B" })]);
    expect([...groups].map(([name, devices]) => [name, devices.map(({ deviceId }) => deviceId)])).toEqual([
      ["B", ["c", "b"]],
      ["", ["a"]],
    ]);
  });
});
