import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Batch } from "./batch";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("questions asked together", () => {
  it("are one request, whoever asks, and each has its own answer", async () => {
    const load = vi.fn(
      async (keys: string[]) => new Map(keys.filter((key) => key !== "c").map((key) => [key, `${key}!`])),
    );
    const batch = new Batch(load, 10);
    const answers = Promise.all([batch.ask("a"), batch.ask("b"), batch.ask("a"), batch.ask("c")]);
    await vi.runAllTimersAsync();
    expect(await answers).toEqual(["a!", "b!", "a!", null]);
    expect(load.mock.calls).toEqual([[["a", "b", "c"]]]);
    const again = batch.ask("a");
    await vi.runAllTimersAsync();
    expect(await again).toBe("a!");
    expect(load).toHaveBeenCalledTimes(2);
  });

  it("are several requests when they are too many for one", async () => {
    const load = vi.fn(async (keys: string[]) => new Map(keys.map((key) => [key, key])));
    const batch = new Batch(load, 2);
    const answers = Promise.all(["a", "b", "c", "d", "e"].map((key) => batch.ask(key)));
    await vi.runAllTimersAsync();
    expect(await answers).toEqual(["a", "b", "c", "d", "e"]);
    expect(load.mock.calls.map(([keys]) => keys)).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  it("are not asked for whoever has given up", async () => {
    const load = vi.fn(async (keys: string[]) => new Map(keys.map((key) => [key, key])));
    const batch = new Batch(load, 10);
    const gone = new AbortController();
    const lost = batch.ask("a", gone.signal).catch((error: Error) => error.name);
    const kept = batch.ask("b");
    gone.abort();
    await vi.runAllTimersAsync();
    expect(await lost).toBe("AbortError");
    expect(await kept).toBe("b");
    expect(load.mock.calls).toEqual([[["b"]]]);
  });

  it("all fail when the request does", async () => {
    const batch = new Batch<string>(async () => Promise.reject(new Error("away")), 10);
    const all = Promise.allSettled([batch.ask("a"), batch.ask("b")]);
    await vi.runAllTimersAsync();
    expect((await all).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});
