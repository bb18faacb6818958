import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type BandColumns, isolatedPoints } from "./band";
import { timeLabels } from "./timeAxis";

export interface SeriesChartProps {
  columns: BandColumns;
  /** Edges of the time axis in epoch seconds. */
  from: number;
  to: number;
  /** What the picture shows, in words. */
  label: string;
  height: number;
  /** Rebuilds the picture with the colours of the page. */
  scheme: "light" | "dark";
  formatValue(value: number): string;
  /** Called with epoch seconds when a stretch of time was marked. */
  onSelect?(from: number, to: number): void;
  /** Index of the point under the pointer, or null. */
  onHover?(index: number | null): void;
}

/** Average line inside a band from minimum to maximum. The only place that knows uPlot. */
export function SeriesChart(props: SeriesChartProps) {
  const { columns, from, to, label, height, scheme } = props;
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [width, setWidth] = useState(0);

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
    const { columns: data } = latest.current;
    const chart = new uPlot(optionsFor(element, width, height, latest), data, element);
    plot.current = chart;
    return () => {
      plot.current = null;
      chart.destroy();
    };
  }, [width, height, scheme]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the edges are read by the scale while the data is set
  useEffect(() => {
    plot.current?.setData(columns);
  }, [columns, from, to]);

  return (
    <div
      ref={container}
      role="img"
      aria-label={label}
      className="chart"
      data-testid="chart"
      data-points={columns[0].length}
    />
  );
}

function optionsFor(
  element: HTMLElement,
  width: number,
  height: number,
  latest: { readonly current: SeriesChartProps },
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const font = `12px ${style.fontFamily}`;
  const axis = {
    stroke: colour("--page-muted"),
    font,
    grid: { stroke: colour("--page-grid"), width: 1 },
    ticks: { show: false },
  };
  const line = colour("--chart-line");
  const hidden = { stroke: "transparent", points: { show: false } };
  return {
    width,
    height,
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 8, fill: line },
      y: false,
    },
    scales: {
      x: { time: true, range: () => [latest.current.from, latest.current.to] },
      y: { range: (_, low, high) => valueRange(low, high) },
    },
    axes: [
      { ...axis, space: 70, size: 44, values: (_, splits, __, ___, step) => timeLabels(splits, step) },
      {
        ...axis,
        size: (_, values) => Math.max(40, ...(values ?? []).map((text) => text.length * 7 + 16)),
        values: (_, splits) => splits.map((split) => latest.current.formatValue(split)),
      },
    ],
    series: [
      {},
      { ...hidden, label: "max" },
      { ...hidden, label: "min" },
      {
        label: "average",
        stroke: line,
        width: 1.75,
        points: {
          show: true,
          size: 5,
          fill: line,
          filter: (chart, index) => isolatedPoints(chart.data[index] as (number | null)[]),
        },
      },
    ],
    bands: [{ series: [1, 2], fill: colour("--chart-band") }],
    hooks: {
      setCursor: [(chart) => latest.current.onHover?.(chart.cursor.idx ?? null)],
      setSelect: [
        (chart) => {
          const { left, width: marked } = chart.select;
          if (marked > 4) latest.current.onSelect?.(chart.posToVal(left, "x"), chart.posToVal(left + marked, "x"));
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** Some air around the values; a flat line sits in the middle. */
function valueRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const spread = high - low;
  const margin = spread > 0 ? spread * 0.08 : Math.max(Math.abs(high) * 0.1, 0.5);
  return [low - margin, high + margin];
}
