import type { VirtualItem } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef } from "react";

interface Position {
  offset: number;
  measurements: VirtualItem[];
}

/** Where one was in each view, as long as the page is open. */
const positions = new Map<string, Position>();

/** Where one was when one left this view, for coming back; `measure` tells it at leaving. */
export function usePosition(view: string, measure: () => VirtualItem[]): Position | undefined {
  const [found, latest] = [useRef(positions.get(view)), useRef(measure)];
  latest.current = measure;
  useLayoutEffect(() => {
    // The browser would put it back before there is anything to scroll.
    window.history.scrollRestoration = "manual";
    window.scrollTo(0, found.current?.offset ?? 0);
    return () => {
      window.history.scrollRestoration = "auto";
      // The rows are still there: what comes after them may be shorter, and scroll.
      positions.set(view, { offset: window.scrollY, measurements: latest.current() });
    };
  }, [view, found, latest]);
  return found.current;
}
