import type { LiveEvent, LiveFilter, LiveFrame } from "./types";

/**
 * The live stream of stored events.
 *
 * Frames carry an epoch and a sequence. Whatever might have been missed (a first or new connection, another epoch, a jump in
 * the sequence, a heartbeat ahead of what arrived) is reported by `onResync`, and the page asks for its data anew. A stream
 * silent for longer than five seconds is dropped and opened again, with growing pauses while the server is away. A server that
 * hears no news itself says so in every frame.
 *
 * What is told can be chosen (`watch`), and is said anew on every connection. From the answer on, what is told of the chosen
 * devices completes what is read then.
 */

export type LiveState = "connecting" | "live" | "degraded" | "reconnecting" | "paused";

/** The part of WebSocket this module uses. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface LiveStreamOptions {
  url: string;
  onState(state: LiveState): void;
  onEvents(events: LiveEvent[]): void;
  /** Something may have been missed. `answered`: what was wanted until this number counts from now on. */
  onResync(answered?: number): void;
  /** What was wanted with this number, or a smaller one, counts from now on. */
  onWatching?(answered: number): void;
  /** A connection ended before the server greeted: the session may have ended. */
  onRefused?(): void;
  open?(url: string): Socket;
  random?(): number;
}

/** Milliseconds without any frame after which the stream counts as dead. */
export const SILENCE_MS = 5_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

export class LiveStream {
  private socket: Socket | null = null;
  private epoch: string | number | null = null;
  private sequence = 0;
  private failures = 0;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private current: LiveState = "paused";
  private wanted: { id: number; filter: LiveFilter } | null = null;
  private opened = false;

  constructor(private readonly options: LiveStreamOptions) {}

  get state(): LiveState {
    return this.current;
  }

  start(): void {
    if (this.current !== "paused") return;
    this.failures = 0;
    this.become("connecting");
    this.connect();
  }

  /** The network, or the person, is back: do not wait any longer. */
  wake(): void {
    if (this.current !== "reconnecting" || this.socket) return;
    clearTimeout(this.retry);
    this.failures = 0;
    this.connect();
  }

  /** Closes the stream until `start`. */
  pause(): void {
    this.drop();
    clearTimeout(this.retry);
    this.become("paused");
  }

  /** Tells the server what is wanted from now on, as soon as there is a connection. Returns the number of this wish. */
  watch(filter: LiveFilter): number {
    this.wanted = { id: (this.wanted?.id ?? 0) + 1, filter };
    if (this.opened) this.ask();
    return this.wanted.id;
  }

  private ask(): void {
    if (this.wanted) {
      const { id, filter } = this.wanted;
      this.socket?.send(JSON.stringify({ kind: "watch", id, ...filter }));
    }
  }

  private connect(): void {
    const socket = (this.options.open ?? openWebSocket)(this.options.url);
    this.socket = socket;
    this.epoch = null;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.opened = true;
      this.ask();
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.receive(event.data);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.reconnect();
    };
    socket.onerror = () => {
      if (this.socket === socket) this.reconnect();
    };
    this.listenOn();
  }

  private receive(data: unknown): void {
    const frame = parse(data);
    if (frame === null) return;
    this.listenOn();
    if (frame.kind === "hello") {
      this.epoch = frame.epoch;
      this.sequence = frame.sequence;
      this.failures = 0;
      this.become(frame.degraded ? "degraded" : "live");
      // A new connection tells everything until it was told what is wanted.
      this.options.onResync(this.wanted?.id);
      return;
    }
    if (this.epoch === null) return;
    const expected = frame.kind === "events" ? this.sequence + 1 : this.sequence;
    const missed = frame.epoch !== this.epoch || frame.sequence !== expected;
    this.epoch = frame.epoch;
    this.sequence = frame.sequence;
    this.become(frame.degraded ? "degraded" : "live");
    if (missed) this.options.onResync();
    if (frame.kind === "events") this.options.onEvents(frame.events);
    if (frame.kind === "watching" && frame.id !== undefined) this.options.onWatching?.(frame.id);
  }

  private listenOn(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.reconnect(), SILENCE_MS);
  }

  private reconnect(): void {
    const greeted = this.epoch !== null;
    this.drop();
    this.become("reconnecting");
    if (!greeted) this.options.onRefused?.();
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures);
    this.failures += 1;
    const random = this.options.random ?? Math.random;
    this.retry = setTimeout(() => this.connect(), ceiling / 2 + (random() * ceiling) / 2);
  }

  private drop(): void {
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = null;
    this.opened = false;
    socket?.close();
  }

  private become(state: LiveState): void {
    if (state === this.current) return;
    this.current = state;
    this.options.onState(state);
  }
}

/** Address of the live stream on the server of this page. */
export function liveUrl(base: Location | URL = window.location): string {
  const url = new URL("/api/v1/live", base.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

function openWebSocket(url: string): Socket {
  return new WebSocket(url) as unknown as Socket;
}

const kinds: ReadonlySet<string> = new Set(["hello", "events", "heartbeat", "watching"]);

function parse(data: unknown): LiveFrame | null {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data) as LiveFrame;
    return kinds.has(frame.kind) ? frame : null;
  } catch {
    return null;
  }
}
