import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { type LiveState, LiveStream, liveUrl } from "./live";
import { meKey } from "./session";
import type { LiveEvent } from "./types";

export interface LiveHandlers {
  onEvents(events: LiveEvent[]): void;
  /** Something may have been missed: read again what is shown. */
  onResync(): void;
}

interface Listener extends LiveHandlers {
  /** Null for all devices of the tenant. */
  devices: ReadonlySet<string> | null;
}

/** The one live stream of the page, shared by all that listen; open while somebody does. */
class LiveHub {
  private readonly listeners = new Set<Listener>();
  private readonly watchers = new Set<() => void>();
  private paused = false;
  private stream: LiveStream | null = null;
  private shown: LiveState = "connecting";
  onRefused: () => void = () => undefined;

  get state(): LiveState {
    return this.shown;
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    if (!this.paused) this.open();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.stream?.pause();
    };
  }

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  toggle = (): void => {
    this.paused = !this.paused;
    if (this.paused) this.stream?.pause();
    else this.open();
  };

  private open(): void {
    this.stream ??= new LiveStream({
      url: liveUrl({}),
      onState: (state) => this.become(state),
      onEvents: (events) => this.tell(events),
      onResync: () => {
        for (const listener of this.listeners) listener.onResync();
      },
      onRefused: () => this.onRefused(),
    });
    this.stream.start();
  }

  private tell(events: LiveEvent[]): void {
    for (const listener of this.listeners) {
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

const hub = new LiveHub();

/**
 * Live readings of some devices, or of all for null, and whether they flow. `toggle` pauses the page and lets it go on. The
 * handlers may change from drawing to drawing; a changed list of devices listens anew.
 */
export function useLive(devices: readonly string[] | null, handlers: LiveHandlers) {
  const cache = useQueryClient();
  const state = useSyncExternalStore(hub.watch, () => hub.state);
  const latest = useRef(handlers);
  latest.current = handlers;
  const key = devices === null ? null : JSON.stringify([...devices].sort());

  useEffect(() => {
    hub.onRefused = () => void cache.invalidateQueries({ queryKey: meKey });
  }, [cache]);

  useEffect(
    () =>
      hub.listen({
        devices: key === null ? null : new Set(JSON.parse(key) as string[]),
        onEvents: (events) => latest.current.onEvents(events),
        onResync: () => latest.current.onResync(),
      }),
    [key],
  );

  return { state, toggle: hub.toggle };
}
