import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLive } from "../../api/liveHub";
import { ArrivalLog } from "./arrivalLog";

/** Milliseconds over which arrivals are gathered before the page is drawn again; longer when many arrive. */
const GATHER_MS = 150;
const GATHER_MANY_MS = 400;
const MANY = 40;

/** Milliseconds that answers under way are waited for before all is asked anew, and between two looks at them. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 200;

export interface Arrivals {
  log: ArrivalLog;
  /** Changes with what the log holds: number of the next arrival that is to be drawn. */
  end: number;
}

/** Live readings of one device while `following`, and whether they flow. */
export function useArrivals(deviceId: string, following: boolean) {
  const cache = useQueryClient();
  const [log] = useState(() => new ArrivalLog());
  const [end, setEnd] = useState(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const resync = useRef<ReturnType<typeof setTimeout>>(undefined);
  const drawn = useRef({ end: 0, busy: false });

  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      clearTimeout(resync.current);
    },
    [],
  );

  const followed = useRef(following);
  useEffect(() => {
    // What was stored while nobody listened is asked for.
    if (following && !followed.current) void cache.invalidateQueries({ queryKey: ["telemetry", deviceId] });
    followed.current = following;
  }, [following, cache, deviceId]);

  const live = useLive(following ? [deviceId] : [], {
    onEvents: (events) => {
      if (!log.add(events, Date.now()) || timer.current !== undefined) return;
      timer.current = setTimeout(
        () => {
          timer.current = undefined;
          drawn.current = { end: log.end, busy: log.end - drawn.current.end > MANY };
          setEnd(log.end);
        },
        drawn.current.busy ? GATHER_MANY_MS : GATHER_MS,
      );
    },
    onResync: () => {
      clearTimeout(resync.current);
      const began = Date.now();
      // What is being asked is not asked anew before its answer: the first chart would wait twice as long.
      const read = () => {
        if (cache.isFetching({ queryKey: ["telemetry", deviceId] }) > 0 && Date.now() - began < PATIENCE_MS) {
          resync.current = setTimeout(read, LOOK_MS);
          return;
        }
        void cache.invalidateQueries({ queryKey: ["telemetry", deviceId] });
        void cache.invalidateQueries({ queryKey: ["device", deviceId] });
      };
      read();
    },
  });

  return { ...live, arrivals: { log, end } satisfies Arrivals };
}
