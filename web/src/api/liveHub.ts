import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { LiveStream, liveUrl } from "./live";
import { meKey } from "./session";
import { type LiveHandlers, SharedStream } from "./sharedStream";

let refused = () => undefined as unknown;

/** The one live stream of the page. */
const hub = new SharedStream(
  (options) => new LiveStream({ ...options, url: liveUrl(), onRefused: () => void refused() }),
);

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
    refused = () => cache.invalidateQueries({ queryKey: meKey });
  }, [cache]);

  useEffect(() => {
    window.addEventListener("online", hub.wake);
    document.addEventListener("visibilitychange", hub.wake);
    return () => {
      window.removeEventListener("online", hub.wake);
      document.removeEventListener("visibilitychange", hub.wake);
    };
  }, []);

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

/** Whether readings flow, for the frame of the page; null where nothing on the page listens. */
export function useLiveState() {
  return { state: useSyncExternalStore(hub.watch, () => (hub.wanted ? hub.state : null)), toggle: hub.toggle };
}
