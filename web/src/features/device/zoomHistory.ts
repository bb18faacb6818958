import type { Span } from "../../api/span";

/** The spans that a page has shown before the present one, oldest first: what zooming in can go back to. */
export type ZoomHistory = readonly Span[];

const LONGEST = 30;

export function sameSpan(one: Span, other: Span): boolean {
  if (one.kind === "rolling" || other.kind === "rolling") {
    return one.kind === "rolling" && other.kind === "rolling" && one.seconds === other.seconds;
  }
  return one.from === other.from && one.to === other.to;
}

/** The history after zooming away from `current`; the first span stays, whatever happens in between. */
export function zoomedFrom(history: ZoomHistory, current: Span): ZoomHistory {
  const last = history[history.length - 1];
  if (last && sameSpan(last, current)) return history;
  const next = [...history, current];
  return next.length > LONGEST ? [next[0] as Span, ...next.slice(2)] : next;
}

/** The history when the address shows `span` of its own accord, as after the browser's Back. */
export function arrivedAt(history: ZoomHistory, span: Span): ZoomHistory {
  const place = history.findLastIndex((known) => sameSpan(known, span));
  return place >= 0 ? history.slice(0, place) : [];
}

/** Twice the span, about its middle, not beyond `latest`; fixed, for it does not follow the time any more. */
export function zoomedOut({ from, to }: { from: number; to: number }, latest: number): Span {
  const half = (to - from) / 2;
  const end = Math.min(to + half, Math.max(to, latest));
  return { kind: "fixed", from: Math.round(end - 4 * half), to: Math.round(end) };
}
