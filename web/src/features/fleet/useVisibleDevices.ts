import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { readLatest } from "../../api/fleet";
import { useLive } from "../../api/liveHub";
import { LiveRows } from "./liveRows";

const LIVE_REFRESH_MS = 60_000;
const REFRESH_MS = 10_000;
/** Scrolling passes many rows; those where it rests are listened to. */
const REST_MS = 150;
const MOST = 100;
const NOBODY: string[] = [];
const DEAF = { onEvents: () => undefined, onResync: () => undefined };

/** Keeps the rows on the screen up to date: as readings arrive, and by asking where they may have been missed. */
export function useVisibleDevices(visible: string[]): LiveRows {
  const cache = useQueryClient();
  const [rows] = useState(() => new LiveRows());
  const [ids, setIds] = useState<string[]>(NOBODY);
  const key = visible.slice(0, MOST).join("\n");
  useEffect(() => {
    const timer = setTimeout(() => setIds(key === "" ? NOBODY : key.split("\n")), REST_MS);
    return () => clearTimeout(timer);
  }, [key]);

  const latest = useRef(ids);
  latest.current = ids;
  const [refresh] = useState(() => async () => {
    if (latest.current.length === 0) return;
    try {
      rows.take(await readLatest(latest.current));
    } catch {
      // A device is gone, or the server is away: the list knows and tells.
      void cache.invalidateQueries({ queryKey: ["devices"] });
    }
  });

  // The one stream stays open while the rows that are listened to change.
  useLive(NOBODY, DEAF);
  const { state } = useLive(ids, {
    onEvents: rows.take,
    onResync: () => {
      void cache.invalidateQueries({ queryKey: ["fleet"] });
      void refresh();
    },
  });
  useEffect(() => {
    const timer = setInterval(() => void refresh(), state === "live" ? LIVE_REFRESH_MS : REFRESH_MS);
    return () => clearInterval(timer);
  }, [state, refresh]);
  useEffect(() => () => rows.stop(), [rows]);
  return rows;
}
