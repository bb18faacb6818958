import type { LiveState, LiveStream, LiveStreamOptions } from "./live";
import type { LiveEvent } from "./types";

export interface LiveHandlers {
  onEvents(events: LiveEvent[]): void;
  /** Something may have been missed: read again what is shown. */
  onResync(): void;
}

export interface Listener extends LiveHandlers {
  /** Null for all devices of the tenant. */
  devices: ReadonlySet<string> | null;
}

type Stream = Pick<LiveStream, "start" | "pause" | "watch" | "wake">;
type StreamOptions = Pick<LiveStreamOptions, "onState" | "onEvents" | "onResync" | "onWatching">;

/** Milliseconds over which wishes are gathered, so that scrolling through a list is not told row by row. */
export const GATHER_MS = 200;
/** Milliseconds that the stream stays open when nobody listens: the next page mostly does. */
export const LINGER_MS = 5_000;
/** A wish for more devices than this is one for all; the server takes 1,000, in 64 KiB. */
export const MOST_DEVICES = 500;
const MOST_LETTERS = 15_000;

/**
 * One live stream for all that listen; open while somebody does. The server is asked for what they want together. Who joins
 * is told to read again once the server has answered: what is read then, and told from then on, is complete.
 */
export class SharedStream {
  private readonly listeners = new Map<Listener, { joined: number | null }>();
  private readonly watchers = new Set<() => void>();
  private paused = false;
  private stream: Stream | null = null;
  private shown: LiveState = "connecting";
  private gathering: ReturnType<typeof setTimeout> | undefined;
  private leaving: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly open: (options: StreamOptions) => Stream) {}

  /** How it stands with the stream; "connecting" while nobody listens. */
  get state(): LiveState {
    return this.shown;
  }

  /** Whether somebody listens. */
  get wanted(): boolean {
    return this.listeners.size > 0;
  }

  listen(listener: Listener): () => void {
    this.listeners.set(listener, { joined: Number.POSITIVE_INFINITY });
    clearTimeout(this.leaving);
    if (!this.paused) this.start();
    this.changed();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.leaving = setTimeout(() => this.stream?.pause(), LINGER_MS);
      this.changed();
    };
  }

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  toggle = (): void => {
    this.paused = !this.paused;
    if (this.paused) this.stream?.pause();
    else if (this.wanted) this.start();
    if (this.paused !== (this.shown === "paused")) this.become(this.paused ? "paused" : "connecting");
  };

  wake = (): void => this.stream?.wake();

  private start(): void {
    this.stream ??= this.open({
      onState: (state) => this.become(state),
      onEvents: (events) => this.tell(events),
      onResync: (answered = 0) => this.resync(answered, () => true),
      onWatching: (answered) => this.resync(answered, (joined) => joined !== null && joined <= answered),
    });
    this.stream.start();
  }

  private changed(): void {
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      const wish = this.stream?.watch({ devices: this.devices() });
      if (wish === undefined) return;
      for (const place of this.listeners.values()) {
        if (place.joined === Number.POSITIVE_INFINITY) place.joined = wish;
      }
    }, GATHER_MS);
    for (const watcher of this.watchers) watcher();
  }

  /** What everybody wants together, sorted. */
  private devices(): string[] | null {
    const all = new Set<string>();
    let letters = 0;
    for (const { devices } of this.listeners.keys()) {
      if (devices === null) return null;
      for (const device of devices) {
        if (all.has(device)) continue;
        all.add(device);
        letters += device.length;
      }
      if (all.size > MOST_DEVICES || letters > MOST_LETTERS) return null;
    }
    return [...all].sort();
  }

  private resync(answered: number, concerns: (joined: number | null) => boolean): void {
    for (const [listener, place] of this.listeners) {
      const concerned = concerns(place.joined);
      if (place.joined !== null && place.joined <= answered) place.joined = null;
      if (concerned) listener.onResync();
    }
  }

  private tell(events: LiveEvent[]): void {
    for (const listener of this.listeners.keys()) {
      const { devices } = listener;
      const theirs = devices === null ? events : events.filter((event) => devices.has(event.deviceId));
      if (theirs.length > 0) listener.onEvents(theirs);
    }
  }

  private become(state: LiveState): void {
    // A stream that nobody listens to rests; it was not paused by a person.
    this.shown = state === "paused" && !this.paused ? "connecting" : state;
    for (const watcher of this.watchers) watcher();
  }
}
