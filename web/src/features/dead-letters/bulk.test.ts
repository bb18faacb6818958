import { describe, expect, it } from "vitest";
import { type Act, BulkWork, each, listed, paged } from "./bulk";
import { draftOf, keepDraft } from "./drafts";
import { jsonFault } from "./jsonFault";
import { parseBody, tallyText } from "./letters";

const going = new AbortController().signal;
const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

describe("bulk work", () => {
  it("goes through every page in slices, and adds up what became of each", async () => {
    const pages = [ids(0, 7), [], ids(7, 9), ids(9, 23)];
    const asked: (string | null)[] = [];
    const source = paged(async (cursor) => {
      asked.push(cursor);
      const index = Number(cursor ?? 0);
      return { ids: pages[index] ?? [], next: index + 1 < pages.length ? String(index + 1) : null };
    });
    const slices: number[][] = [];
    const act: Act = async (slice) => {
      slices.push(slice);
      return { stored: slice.length - 1, dead: 1 };
    };
    const told: number[] = [];
    const work = new BulkWork(source, act, 10);
    expect(await work.run(going, (tally) => told.push(tally.done))).toBe("done");
    expect(slices.flat()).toEqual(ids(0, 23));
    expect(slices.map((slice) => slice.length)).toEqual([10, 10, 3]);
    expect(told).toEqual([10, 20, 23]);
    expect(asked).toEqual([null, "1", "2", "3"]);
    expect(work.tally).toMatchObject({ done: 23, stored: 20, dead: 3, gone: 0 });
  });

  it("is stopped between slices, and goes on where it was", async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    const work = new BulkWork(
      listed(ids(0, 25)),
      async (slice) => {
        seen.push(...slice);
        return { duplicate: slice.length };
      },
      10,
    );
    expect(await work.run(stop.signal, (tally) => tally.done === 10 && stop.abort())).toBe("stopped");
    expect(seen).toEqual(ids(0, 10));
    expect(await work.run(going, () => undefined)).toBe("done");
    expect(seen).toEqual(ids(0, 25));
    expect(work.tally).toMatchObject({ done: 25, duplicate: 25 });
  });

  it("does a slice again whose answer was lost, and counts nothing twice", async () => {
    const stored = new Set<number>();
    let failures = 1;
    const work = new BulkWork(
      listed(ids(0, 8)),
      async (slice) => {
        const fresh = slice.filter((id) => !stored.has(id));
        for (const id of fresh) stored.add(id);
        if (failures-- > 0) throw new Error("the answer was lost");
        return { stored: fresh.length };
      },
      5,
    );
    await expect(work.run(going, () => undefined)).rejects.toThrow("lost");
    expect(work.tally.done).toBe(0);
    expect(await work.run(going, () => undefined)).toBe("done");
    expect(work.tally).toMatchObject({ done: 8, stored: 3, gone: 5 });
    expect(tallyText("replay", work.tally)).toBe("3 stored, 5 settled meanwhile");
  });

  it("goes on with the page that could not be read", async () => {
    let broken = true;
    const source = paged(async (cursor) => {
      if (cursor === "1" && broken) throw new Error("away");
      return { ids: [Number(cursor ?? 0)], next: cursor === "1" ? null : "1" };
    });
    const seen: number[] = [];
    const work = new BulkWork(source, async (slice) => ({ discarded: seen.push(...slice) }), 1);
    await expect(work.run(going, () => undefined)).rejects.toThrow("away");
    broken = false;
    expect(await work.run(going, () => undefined)).toBe("done");
    expect(seen).toEqual([0, 1]);
  });

  it("does single things a few at a time, and awaits all before it tells a failure", async () => {
    let busy = 0;
    let most = 0;
    const done: number[] = [];
    const work = async (id: number) => {
      busy += 1;
      most = Math.max(most, busy);
      await Promise.resolve();
      busy -= 1;
      if (id === 3) throw new Error("no");
      done.push(id);
    };
    await each(ids(10, 20), work, 4);
    expect([most, done.length]).toEqual([4, 10]);
    await expect(each(ids(0, 9), work, 2)).rejects.toThrow("no");
    expect(busy).toBe(0);
  });
});

describe("an event that is edited", () => {
  it("tells the line of a fault", () => {
    const parsed = parseBody('{\n  "a": 1,\n  "b": oops\n}');
    expect(parsed).toMatchObject({ ok: false, position: 19 });
    expect(!parsed.ok && parsed.fault).toMatch(/^Line 3, column 8: /);
    expect(parseBody('{"a": 1')).toMatchObject({ ok: false, position: 7 });
    for (const [typed, position] of [
      ['{"a": 1,}', 8],
      ["{'a': 1}", 1],
      ['{"a": "b\nc"}', 8],
      ['{"a": 01}', 7],
      ['{"a": [1 2]}', 9],
      ['{"a": "\\x"}', 7],
      ["[1] 2", 4],
      ["", 0],
    ] as const) {
      expect([typed, jsonFault(typed)]).toEqual([typed, position]);
    }
    for (const fine of ['{"a": [1, -2.5e3, true, null, {"b": "\\u00e9\\""}], "c": {}}', " [] ", "0"]) {
      expect([fine, jsonFault(fine)]).toEqual([fine, null]);
    }
  });

  it("is kept while the page is open, until it is what it was", () => {
    keepDraft(7, "typed");
    expect([draftOf(7), draftOf(8)]).toEqual(["typed", undefined]);
    keepDraft(7, null);
    expect(draftOf(7)).toBeUndefined();
  });
});
