import { useEffect, useRef } from "react";
import uPlot from "uplot";
import type { LineColumns } from "./lines";
import { lookOf, useWidth, valueRange } from "./plot";
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
  const width = useWidth(container);
  const lines = columns.length - 1;

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
  const { colour, axis } = lookOf(element);
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
