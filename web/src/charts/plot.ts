/** What every chart of uPlot's has: the width of its place, the colours of the page, some air around its values. */

import { type RefObject, useEffect, useState } from "react";
import "uplot/dist/uPlot.min.css";

/** Width of an element in whole pixels, followed; 0 before it is laid out. */
export function useWidth(container: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => observer.disconnect();
  }, [container]);
  return width;
}

/** How to read a colour of the page, and what its axes look like. */
export function lookOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--page-muted"),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour("--page-grid"), width: 1 },
    ticks: { show: false },
  };
  return { colour, axis };
}

/** Some air around the values; a flat line sits in the middle. */
export function valueRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const spread = high - low;
  const margin = spread > 0 ? spread * 0.08 : Math.max(Math.abs(high) * 0.1, 0.5);
  return [low - margin, high + margin];
}
