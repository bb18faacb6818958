import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LiveState, LiveStream, liveUrl, SILENCE_MS, type Socket } from "./live";
import type { LiveEvent } from "./types";

class FakeSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  closed = false;
  said: unknown[] = [];
  send(text: string) {
    this.said.push(JSON.parse(text));
  }
  open() {
    (this.onopen as (() => void) | null)?.();
  }
  close() {
    this.closed = true;
  }
  say(frame: unknown) {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }
  end() {
    (this.onclose as (() => void) | null)?.();
  }
}

let sockets: FakeSocket[];
let states: LiveState[];
let events: LiveEvent[];
let resyncs: number;
let refusals: number;
let answered: (number | undefined)[];
let stream: LiveStream;

const newest = () => sockets[sockets.length - 1] as FakeSocket;
const hello = (epoch = "a", sequence = 0) => ({ kind: "hello", epoch, sequence });
const heartbeat = (sequence: number, epoch = "a") => ({ kind: "heartbeat", epoch, sequence });
const frame = (sequence: number, epoch = "a") => ({
  kind: "events",
  epoch,
  sequence,
  events: [{ eventId: `e${sequence}`, deviceId: "d", type: "t", value: 1, unit: "C", recordedAt: "", receivedAt: "" }],
});

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  states = [];
  events = [];
  resyncs = 0;
  refusals = 0;
  answered = [];
  stream = new LiveStream({
    url: "ws://x/api/v1/live",
    onState: (state) => states.push(state),
    onEvents: (more) => events.push(...more),
    onResync: (until) => {
      resyncs += 1;
      answered.push(until);
    },
    onWatching: (until) => answered.push(until),
    onRefused: () => {
      refusals += 1;
    },
    open: () => {
      sockets.push(new FakeSocket());
      return newest();
    },
    random: () => 1,
  });
  stream.start();
});

afterEach(() => {
  stream.pause();
  vi.useRealTimers();
});

describe("a live stream", () => {
  it("is live after the greeting and asks for data once", () => {
    expect(states).toEqual(["connecting"]);
    newest().say(hello());
    expect(states).toEqual(["connecting", "live"]);
    expect(resyncs).toBe(1);
  });

  it("hands on events in sequence without asking again", () => {
    newest().say(hello());
    newest().say(frame(1));
    newest().say(heartbeat(1));
    newest().say(frame(2));
    expect(events.map((event) => event.eventId)).toEqual(["e1", "e2"]);
    expect(resyncs).toBe(1);
  });

  it("asks again after a jump in the sequence, and still hands on the events", () => {
    newest().say(hello());
    newest().say(frame(1));
    newest().say(frame(3));
    expect(resyncs).toBe(2);
    expect(events.map((event) => event.eventId)).toEqual(["e1", "e3"]);
    newest().say(frame(4));
    expect(resyncs).toBe(2);
  });

  it("asks again when a heartbeat is ahead of what arrived", () => {
    newest().say(hello());
    newest().say(heartbeat(2));
    expect(resyncs).toBe(2);
    newest().say(frame(3));
    expect(resyncs).toBe(2);
  });

  it("says when the server itself hears nothing, and asks again before and after", () => {
    newest().say(hello());
    newest().say({ ...heartbeat(1), degraded: true });
    expect(stream.state).toBe("degraded");
    newest().say({ ...heartbeat(1), degraded: true });
    expect(resyncs).toBe(2);
    newest().say(heartbeat(2));
    expect(stream.state).toBe("live");
    expect(resyncs).toBe(3);
  });

  it("asks again when the epoch changes", () => {
    newest().say(hello("a", 5));
    newest().say(frame(6, "b"));
    expect(resyncs).toBe(2);
    newest().say(frame(7, "b"));
    expect(resyncs).toBe(2);
  });

  it("reconnects after five silent seconds; heartbeats keep it alive", () => {
    newest().say(hello());
    for (let i = 0; i < 5; i += 1) {
      vi.advanceTimersByTime(2_000);
      newest().say(heartbeat(0));
    }
    expect(sockets).toHaveLength(1);
    vi.advanceTimersByTime(SILENCE_MS);
    expect(sockets[0]?.closed).toBe(true);
    expect(stream.state).toBe("reconnecting");
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    newest().say(hello());
    expect(stream.state).toBe("live");
    expect(resyncs).toBe(2);
  });

  it("waits longer after each failure, up to a limit, and starts over after a greeting", () => {
    const pauses: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      newest().end();
      const before = sockets.length;
      let waited = 0;
      while (sockets.length === before) {
        vi.advanceTimersByTime(500);
        waited += 500;
      }
      pauses.push(waited);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    newest().say(hello());
    newest().end();
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(10);
  });

  it("tells of a refusal only when no greeting came", () => {
    newest().end();
    expect(refusals).toBe(1);
    vi.advanceTimersByTime(500);
    newest().say(hello());
    newest().end();
    expect(refusals).toBe(1);
  });

  it("stays closed while paused and ignores a former connection", () => {
    const first = newest();
    first.say(hello());
    stream.pause();
    expect(first.closed).toBe(true);
    first.say(frame(1));
    first.end();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
    expect(stream.state).toBe("paused");
    expect(events).toEqual([]);
    stream.start();
    newest().say(hello());
    expect(stream.state).toBe("live");
    expect(resyncs).toBe(2);
  });

  it("says what is wanted, on every connection, and reports the answer", () => {
    expect(stream.watch({ devices: ["a"] })).toBe(1);
    expect(newest().said).toEqual([]);
    newest().open();
    expect(newest().said).toEqual([{ kind: "watch", id: 1, devices: ["a"] }]);
    newest().say({ ...hello(), id: 1 });
    expect(answered).toEqual([1]);
    expect(stream.watch({ devices: null })).toBe(2);
    expect(newest().said).toHaveLength(2);
    newest().say({ kind: "watching", epoch: "a", sequence: 0, id: 2 });
    expect([resyncs, answered]).toEqual([1, [1, 2]]);
    // An answer that is ahead of what arrived is a gap, too.
    newest().say({ kind: "watching", epoch: "a", sequence: 3, id: 2 });
    expect([resyncs, answered]).toEqual([2, [1, 2, undefined, 2]]);
    newest().end();
    vi.advanceTimersByTime(500);
    expect(newest().said).toEqual([]);
    newest().open();
    expect(newest().said).toEqual([{ kind: "watch", id: 2, devices: null }]);
  });

  it("does not wait any longer when the network is back", () => {
    newest().end();
    newest().end();
    stream.wake();
    expect(sockets).toHaveLength(2);
    stream.wake();
    vi.advanceTimersByTime(1_000);
    expect(sockets).toHaveLength(2);
    newest().say(hello());
    stream.wake();
    stream.pause();
    stream.wake();
    expect(sockets).toHaveLength(2);
  });

  it("ignores what is no frame", () => {
    newest().say("not json");
    newest().say(frame(1));
    newest().say({ kind: "something new" });
    expect(events).toEqual([]);
    expect(stream.state).toBe("connecting");
  });
});

it("makes the stream's address from the page's", () => {
  expect(liveUrl(new URL("https://example.com/devices/x?y"))).toBe("wss://example.com/api/v1/live");
  expect(liveUrl(new URL("http://127.0.0.1:8000/"))).toBe("ws://127.0.0.1:8000/api/v1/live");
});
