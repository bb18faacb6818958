import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { type PanelsAsk, usePanels } from "../../api/dashboards";
import type { Latest, PanelAnswer } from "../../api/dashboardTypes";
import { useLive } from "../../api/liveHub";
import type { LiveEvent } from "../../api/types";
import { refreshed, withLive } from "../../panels/values";

/** Live readings are drawn so often at most, however many come. */
const DRAW_MS = 250;
/** Charts and sums are asked for again so often at most when something new has come. */
const AGAIN_MS = 5_000;
/** More devices than this are listened to as all. */
const MOST = 200;

/** What panels show: asked for by and by, with live readings in place of older ones at once. */
export function usePanelAnswers(ask: PanelsAsk, refresh: number) {
  const cache = useQueryClient();
  const query = usePanels(ask, refresh);
  const [live, setLive] = useState<ReadonlyMap<string, Latest>>(new Map());
  const waiting = useRef<LiveEvent[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const asked = useRef(0);
  const answers = query.data?.panels;

  const devices = useMemo(() => {
    const found = new Set((answers ?? []).flatMap((answer) => Object.keys(answer.labels)));
    return found.size > MOST ? null : [...found].sort();
  }, [answers]);

  const again = () => {
    asked.current = Date.now();
    void cache.invalidateQueries({ queryKey: ["panels"] });
  };
  useLive(devices, {
    onEvents: (events) => {
      waiting.current.push(...events);
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        const come = waiting.current;
        waiting.current = [];
        setLive((known) => withLive(known, come));
        if (refresh > 0 && Date.now() - asked.current > AGAIN_MS) again();
      }, DRAW_MS);
    },
    onResync: again,
  });
  useEffect(() => () => clearTimeout(timer.current), []);

  const byPanel = useMemo(
    () => new Map<string, PanelAnswer>((answers ?? []).map((answer) => [answer.id, refreshed(answer, live)])),
    [answers, live],
  );
  return { query, byPanel };
}
