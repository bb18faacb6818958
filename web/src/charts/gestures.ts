import { keyAction, pan, pinch, type View, zoom } from "./view";

/** How a page hears of zooming. */
export interface ZoomTarget {
  /** The stretch that is shown now. */
  view(): View;
  /** A gesture is under way: show this at once. */
  onPreview(view: View): void;
  /** A gesture has ended here. */
  onChange(view: View): void;
  /** Back to what was shown before the first zoom. */
  onReset(): void;
  /** One step back. */
  onBack(): void;
}

/** Milliseconds without another key or turn of the wheel after which a gesture has ended. */
const PAUSE_MS = 350;
/** Pixels that a finger may tremble before it moves the chart. */
const TREMBLE = 6;

/**
 * Keys on `frame`; fingers, and the wheel with Ctrl (which is also how a touchpad tells of pinching), on `area`. A mouse that
 * is dragged marks a stretch: the chart itself does that. Returns what takes the listeners away again.
 */
export function listen(frame: HTMLElement, area: HTMLElement, target: ZoomTarget): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  let pending: View | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const preview = (view: View) => {
    pending = view;
    target.onPreview(view);
  };
  const commit = () => {
    clearTimeout(timer);
    timer = undefined;
    const view = pending;
    pending = null;
    if (view) target.onChange(view);
  };
  const commitSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(commit, PAUSE_MS);
  };

  frame.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target !== frame) return;
      const action = keyAction(event.key, pending ?? target.view());
      if (!action) return;
      event.preventDefault();
      if (action.kind === "view") {
        preview(action.view);
        commitSoon();
        return;
      }
      clearTimeout(timer);
      pending = null;
      if (action.kind === "reset") target.onReset();
      else target.onBack();
    },
    { signal },
  );

  area.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = area.getBoundingClientRect();
      const view = pending ?? target.view();
      const about = view.from + ((event.clientX - box.left) / box.width) * (view.to - view.from);
      preview(zoom(view, Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 200), about));
      commitSoon();
    },
    { signal, passive: false },
  );

  // Fingers: one moves, two pinch. The page goes on scrolling up and down (touch-action in the style sheet).
  const fingers = new Map<number, number>();
  let begun: { view: View; at: number[] } | null = null;
  let moved = false;
  const share = (clientX: number) => {
    const box = area.getBoundingClientRect();
    return (clientX - box.left) / box.width;
  };
  const begin = () => {
    begun = { view: pending ?? target.view(), at: [...fingers.values()] };
  };
  area.addEventListener(
    "pointerdown",
    (event) => {
      if (event.pointerType !== "touch") return;
      fingers.set(event.pointerId, share(event.clientX));
      if (fingers.size === 1) moved = false;
      begin();
    },
    { signal },
  );
  area.addEventListener(
    "pointermove",
    (event) => {
      if (!fingers.has(event.pointerId) || !begun) return;
      fingers.set(event.pointerId, share(event.clientX));
      const [first = 0, second] = [...fingers.values()];
      const [held = 0, other] = begun.at;
      if (second !== undefined && other !== undefined) {
        moved = true;
        preview(pinch(begun.view, [held, other], [first, second]));
      } else {
        moved ||= Math.abs(first - held) * area.clientWidth > TREMBLE;
        if (moved) preview(pan(begun.view, (held - first) * (begun.view.to - begun.view.from)));
      }
    },
    { signal },
  );
  const lift = (event: PointerEvent) => {
    if (!fingers.delete(event.pointerId)) return;
    if (fingers.size > 0) begin();
    else if (moved) commit();
  };
  for (const name of ["pointerup", "pointercancel"] as const) area.addEventListener(name, lift, { signal });

  return () => {
    ending.abort();
    clearTimeout(timer);
  };
}
