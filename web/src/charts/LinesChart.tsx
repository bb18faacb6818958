import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { LineColumns } from "./lines";
import { timeLabels } from "./timeAxis";

/** How many lines are told apart by colour; further ones begin again, dashed. */
export const COLOURS = 8;

interface LinesChartProps {
  columns: LineColumns;
  /** Edges of the time axis in epoch seconds. */
  from: number;
  to: number;
  /** What the picture shows, in words. */
  label: string;
  height: number;
  scheme: "light" | "dark";
  formatValue(value: number): string;
  /** Index of the instant under the pointer, or null. */
  onHover?(index: number | null): void;
}

/** Several lines over one time axis. */
export function LinesChart(props: LinesChartProps) {
  const { columns, from, to, label, height, scheme } = props;
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [width, setWidth] = useState(0);
  const lines = columns.length - 1;

  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => observer.disconnect();
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read from the style sheet of this scheme
  useEffect(() => {
    const element = container.current;
    if (!element || width === 0) return;
    const chart = new uPlot(optionsFor(element, width, height, lines, latest), latest.current.columns, element);
    plot.current = chart;
    return () => {
      plot.current = null;
      chart.destroy();
    };
  }, [width, height, scheme, lines]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the edges are read by the scale while the data is set
  useEffect(() => {
    plot.current?.setData(columns);
  }, [columns, from, to]);

  return <div ref={container} role="img" aria-label={label} className="chart" data-testid="lines" data-lines={lines} />;
}

function optionsFor(
  element: HTMLElement,
  width: number,
  height: number,
  lines: number,
  latest: { readonly current: LinesChartProps },
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--page-muted"),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour("--page-grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [10, 10, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 }, y: false },
    scales: {
      x: { time: true, range: () => [latest.current.from, latest.current.to] },
      y: { range: (_, low, high) => valueRange(low, high) },
    },
    axes: [
      { ...axis, space: 70, size: 40, values: (_, splits, __, ___, step) => timeLabels(splits, step) },
      {
        ...axis,
        size: (_, values) => Math.max(36, ...(values ?? []).map((text) => text.length * 7 + 14)),
        values: (_, splits) => splits.map((split) => latest.current.formatValue(split)),
      },
    ],
    series: [
      {},
      ...Array.from({ length: lines }, (_, index) => ({
        stroke: colour(`--series-${(index % COLOURS) + 1}`),
        width: 1.75,
        ...(index >= COLOURS && { dash: [6, 4] }),
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(chart) => latest.current.onHover?.(chart.cursor.idx ?? null)] },
  };
}

function valueRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const margin = high > low ? (high - low) * 0.08 : Math.max(Math.abs(high) * 0.1, 0.5);
  return [low - margin, high + margin];
}
