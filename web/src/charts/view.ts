/** Stretches of time as they are moved and zoomed. Epoch seconds. */

export interface View {
  from: number;
  to: number;
}

/** The shortest and the longest stretch that is worth showing, in seconds. */
const SHORTEST = 5;
const LONGEST = 20 * 365 * 86_400;

/** By how much one step of the keyboard moves and zooms. */
const PAN_STEP = 0.2;
const ZOOM_STEP = 1.6;

export function pan({ from, to }: View, seconds: number): View {
  return { from: from + seconds, to: to + seconds };
}

/** `factor` > 1 shows more; the moment `about` stays where it is. */
export function zoom({ from, to }: View, factor: number, about = (from + to) / 2): View {
  const length = Math.min(LONGEST, Math.max(SHORTEST, (to - from) * factor));
  const share = (about - from) / (to - from);
  return { from: about - length * share, to: about + length * (1 - share) };
}

/** The view in which the moments under two fingers are where the fingers are now: positions are shares of the width. */
export function pinch(view: View, before: [number, number], now: [number, number]): View {
  const length = view.to - view.from;
  const spread = (pair: [number, number]) => Math.max(0.02, Math.abs(pair[1] - pair[0]));
  const middle = (pair: [number, number]) => (pair[0] + pair[1]) / 2;
  const held = view.from + length * middle(before);
  const next = Math.min(LONGEST, Math.max(SHORTEST, (length * spread(before)) / spread(now)));
  return { from: held - next * middle(now), to: held + next * (1 - middle(now)) };
}

export type KeyAction = { kind: "view"; view: View } | { kind: "reset" } | { kind: "back" } | null;

/** What a key does to a view; null when it is none of ours. */
export function keyAction(key: string, view: View): KeyAction {
  const length = view.to - view.from;
  switch (key) {
    case "ArrowLeft":
      return { kind: "view", view: pan(view, -length * PAN_STEP) };
    case "ArrowRight":
      return { kind: "view", view: pan(view, length * PAN_STEP) };
    case "+":
    case "=":
      return { kind: "view", view: zoom(view, 1 / ZOOM_STEP) };
    case "-":
    case "_":
      return { kind: "view", view: zoom(view, ZOOM_STEP) };
    case "Backspace":
      return { kind: "back" };
    case "Escape":
      return { kind: "reset" };
    default:
      return null;
  }
}
