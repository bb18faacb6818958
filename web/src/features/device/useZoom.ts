import { useCallback, useEffect, useRef, useState } from "react";
import { edgesOf, type Span } from "../../api/span";
import type { View } from "../../charts/view";
import { arrivedAt, sameSpan, type ZoomHistory, zoomedFrom, zoomedOut } from "./zoomHistory";

export interface Zoom {
  /** Shows a span that was chosen, not zoomed to. */
  choose(span: Span): void;
  /** Zooms to a marked stretch, in epoch seconds. */
  mark(from: number, to: number): void;
  /** Shows where keys, fingers or the wheel have led, in epoch seconds. */
  move(view: View): void;
  out(): void;
  back(): void;
  reset(): void;
  /** Something was zoomed: there is a way back. */
  zoomed: boolean;
}

/** The zoom of all charts over the span in the address; `show` puts a span there, in place of the present one or after it. */
export function useZoom(span: Span, show: (span: Span, replace: boolean) => void): Zoom {
  const [history, setHistory] = useState<ZoomHistory>([]);
  const expected = useRef<Span>(span);
  const latest = useRef({ span, history, show });
  latest.current = { span, history, show };

  useEffect(() => {
    // The address has changed by itself: the browser's Back, or a link.
    if (!sameSpan(span, expected.current)) {
      expected.current = span;
      setHistory((known) => arrivedAt(known, span));
    }
  }, [span]);

  const go = useCallback((next: Span, known: ZoomHistory, replace: boolean) => {
    expected.current = next;
    setHistory(known);
    latest.current.show(next, replace);
  }, []);

  const choose = useCallback((next: Span) => go(next, [], false), [go]);
  const mark = useCallback(
    (from: number, to: number) => {
      const now = latest.current;
      go(fixed({ from, to }), zoomedFrom(now.history, now.span), false);
    },
    [go],
  );
  const move = useCallback(
    (view: View) => {
      const now = latest.current;
      // One step back from a chain of small moves leads to where they began.
      const begins = now.span.kind === "rolling" || now.history.length === 0;
      go(fixed(view), begins ? zoomedFrom(now.history, now.span) : now.history, !begins);
    },
    [go],
  );
  const out = useCallback(() => {
    const now = latest.current;
    go(zoomedOut(edgesOf(now.span, Date.now()), Date.now()), zoomedFrom(now.history, now.span), false);
  }, [go]);
  const back = useCallback(() => {
    const { history: known } = latest.current;
    const last = known[known.length - 1];
    if (last) go(last, known.slice(0, -1), false);
  }, [go]);
  const reset = useCallback(() => {
    const first = latest.current.history[0];
    if (first) go(first, [], false);
  }, [go]);

  return { choose, mark, move, out, back, reset, zoomed: history.length > 0 };
}

function fixed({ from, to }: View): Span {
  const start = Math.round(from * 1000);
  return { kind: "fixed", from: start, to: Math.max(start + 1_000, Math.round(to * 1000)) };
}
