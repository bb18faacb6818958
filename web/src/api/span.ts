/** A window of time: the last `seconds` until now, or fixed edges in epoch milliseconds, [from, to). */
export type Span = { kind: "rolling"; seconds: number } | { kind: "fixed"; from: number; to: number };

/** The edges of a span in epoch milliseconds, seen at `now`. */
export function edgesOf(span: Span, now: number): { from: number; to: number } {
  return span.kind === "fixed" ? { from: span.from, to: span.to } : { from: now - span.seconds * 1000, to: now };
}

/** Widths of buckets in seconds that a series may be asked for. */
const STEPS = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

const POINTS = 360;
const FIXED_POINTS = 720;
/** How far beyond the present a rolling window reaches, in ms: readings of a device whose clock is fast are in it. */
const AHEAD_MS = 1_000;

/**
 * What to ask a series for. The edges of a rolling window lie on whole steps, so that its buckets stand still, and the line
 * keeps its shape, while the window moves.
 */
export function seriesWindow(span: Span, now: number): { from: number; to: number; points: number } {
  if (span.kind === "fixed") return { from: span.from, to: span.to, points: FIXED_POINTS };
  const step = 1000 * (STEPS.find((seconds) => seconds * POINTS >= span.seconds) ?? 86_400);
  const from = Math.floor((now - span.seconds * 1000) / step) * step;
  const to = (Math.floor((now + AHEAD_MS) / step) + 1) * step;
  return { from, to, points: (to - from) / step };
}
