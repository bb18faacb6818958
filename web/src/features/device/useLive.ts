import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { type LiveState, LiveStream, liveUrl } from "../../api/live";
import { meKey } from "../../api/session";
import { type Arrival, addArrivals } from "./liveSeries";

/** Milliseconds over which arrivals are gathered before the page is drawn again. */
const GATHER_MS = 150;

/** Live readings of one device, and whether they flow. */
export function useLive(deviceId: string) {
  const cache = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [arrivals, setArrivals] = useState<Arrival[]>([]);
  const stream = useRef<LiveStream | null>(null);

  useEffect(() => {
    setArrivals([]);
    let gathered: Arrival[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      const more = gathered;
      gathered = [];
      setArrivals((known) => addArrivals(known, more));
    };
    const live = new LiveStream({
      url: liveUrl({ device: deviceId }),
      onState: setState,
      onEvents: (events) => {
        const arrivedAt = Date.now();
        gathered.push(...events.map((event) => ({ arrivedAt, event })));
        timer ??= setTimeout(flush, GATHER_MS);
      },
      onResync: () => {
        void cache.invalidateQueries({ queryKey: ["telemetry", deviceId] });
        void cache.invalidateQueries({ queryKey: ["device", deviceId] });
      },
      onRefused: () => void cache.invalidateQueries({ queryKey: meKey }),
    });
    stream.current = live;
    live.start();
    return () => {
      clearTimeout(timer);
      live.pause();
      stream.current = null;
    };
  }, [deviceId, cache]);

  const toggle = useCallback(() => {
    const live = stream.current;
    if (live?.state === "paused") live.start();
    else live?.pause();
  }, []);

  return { state, arrivals, toggle };
}
