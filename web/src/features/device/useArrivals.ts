import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLive } from "../../api/liveHub";
import { type Arrival, addArrivals } from "./liveSeries";

/** Milliseconds over which arrivals are gathered before the page is drawn again. */
const GATHER_MS = 150;

/** Live readings of one device, and whether they flow. */
export function useArrivals(deviceId: string) {
  const cache = useQueryClient();
  const [arrivals, setArrivals] = useState<Arrival[]>([]);
  const gathered = useRef<Arrival[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another device begins with nothing
  useEffect(() => {
    setArrivals([]);
    return () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      gathered.current = [];
    };
  }, [deviceId]);

  const live = useLive([deviceId], {
    onEvents: (events) => {
      const arrivedAt = Date.now();
      gathered.current.push(...events.map((event) => ({ arrivedAt, event })));
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        const more = gathered.current;
        gathered.current = [];
        setArrivals((known) => addArrivals(known, more));
      }, GATHER_MS);
    },
    onResync: () => {
      void cache.invalidateQueries({ queryKey: ["telemetry", deviceId] });
      void cache.invalidateQueries({ queryKey: ["device", deviceId] });
    },
  });

  return { ...live, arrivals };
}
