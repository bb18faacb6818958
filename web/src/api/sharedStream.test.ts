import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LiveState, LiveStreamOptions } from "./live";
import { GATHER_MS, LINGER_MS, type Listener, MOST_DEVICES, SharedStream } from "./sharedStream";
import type { LiveEvent, LiveFilter } from "./types";

type Options = Pick<LiveStreamOptions, "onState" | "onEvents" | "onResync" | "onWatching">;

let options: Options;
let open: boolean;
let wishes: (string[] | null)[];
let hub: SharedStream;

/** A stream whose server answers when the test says so. */
function fakeStream(given: Options) {
  options = given;
  return {
    start() {
      if (!open) given.onState("connecting");
      open = true;
    },
    pause() {
      open = false;
      given.onState("paused");
    },
    watch: ({ devices }: LiveFilter) => wishes.push(devices),
    wake: () => undefined,
  };
}

function listener(...devices: string[]) {
  const got: string[] = [];
  const made: Listener = {
    devices: devices.length > 0 ? new Set(devices) : null,
    onEvents: (events) => got.push(...events.map((event) => event.deviceId)),
    onResync: () => got.push("resync"),
  };
  return { got, made };
}

const event = (deviceId: string) => ({ deviceId }) as LiveEvent;
const gather = () => vi.advanceTimersByTime(GATHER_MS);

beforeEach(() => {
  vi.useFakeTimers();
  open = false;
  wishes = [];
  hub = new SharedStream(fakeStream);
});
afterEach(() => void vi.useRealTimers());

describe("the page's live stream", () => {
  it("asks for what all listeners want together, gathered, and for everything where one wants that", () => {
    const leave = hub.listen(listener("b", "a").made);
    hub.listen(listener("c", "a").made);
    expect(wishes).toEqual([]);
    gather();
    expect(wishes).toEqual([["a", "b", "c"]]);
    const leaveAll = hub.listen(listener().made);
    gather();
    leaveAll();
    leave();
    gather();
    expect(wishes).toEqual([["a", "b", "c"], null, ["a", "c"]]);
  });

  it("asks for everything instead of very many", () => {
    hub.listen(listener(...Array.from({ length: MOST_DEVICES + 1 }, (_, n) => `d${n}`)).made);
    gather();
    const leave = hub.listen(listener("ü".repeat(20_000)).made);
    leave();
    gather();
    expect(wishes).toEqual([null, null]);
  });

  it("hands on to each what it wants", () => {
    const [some, all] = [listener("a"), listener()];
    hub.listen(some.made);
    hub.listen(all.made);
    options.onEvents([event("a"), event("b")]);
    options.onEvents([event("b")]);
    expect([some.got, all.got]).toEqual([["a"], ["a", "b", "b"]]);
  });

  it("tells who joins, and nobody else, to read again once the server has answered", () => {
    const [first, second, third] = [listener("a"), listener("b"), listener("c")];
    hub.listen(first.made);
    gather();
    options.onResync(1);
    expect(first.got).toEqual(["resync"]);
    hub.listen(second.made);
    gather();
    hub.listen(third.made);
    gather();
    options.onWatching?.(2);
    expect([first.got, second.got, third.got]).toEqual([["resync"], ["resync"], []]);
    options.onWatching?.(3);
    options.onWatching?.(3);
    expect([first.got, second.got, third.got]).toEqual([["resync"], ["resync"], ["resync"]]);
  });

  it("tells everybody after a gap, and who waits for an answer once more with it", () => {
    const [first, second] = [listener("a"), listener("b")];
    hub.listen(first.made);
    gather();
    options.onResync(1);
    hub.listen(second.made);
    gather();
    options.onResync();
    options.onWatching?.(2);
    expect([first.got, second.got]).toEqual([
      ["resync", "resync"],
      ["resync", "resync"],
    ]);
  });

  it("stays open from one page to the next, and closes when nobody listens any more", () => {
    const states: LiveState[] = [];
    hub.watch(() => states.push(hub.state));
    const leave = hub.listen(listener("a").made);
    options.onState("live");
    leave();
    expect(hub.wanted).toBe(false);
    vi.advanceTimersByTime(LINGER_MS - 1);
    const leaveNext = hub.listen(listener("b").made);
    vi.advanceTimersByTime(LINGER_MS);
    expect(open).toBe(true);
    leaveNext();
    vi.advanceTimersByTime(LINGER_MS);
    expect(open).toBe(false);
    expect(hub.state).toBe("connecting");
    expect(wishes.at(-1)).toEqual([]);
    expect(states).not.toContain("paused");
  });

  it("is paused and goes on by hand alone", () => {
    hub.listen(listener("a").made);
    options.onState("live");
    hub.toggle();
    expect([hub.state, open]).toEqual(["paused", false]);
    hub.listen(listener("b").made);
    gather();
    expect(open).toBe(false);
    hub.toggle();
    expect([hub.state, open]).toEqual(["connecting", true]);
  });

  it("can be paused while it rests", () => {
    hub.listen(listener("a").made)();
    vi.advanceTimersByTime(LINGER_MS);
    hub.toggle();
    expect(hub.state).toBe("paused");
    hub.toggle();
    expect([hub.state, open]).toEqual(["connecting", false]);
  });
});
