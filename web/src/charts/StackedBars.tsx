import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { lookOf, useWidth } from "./plot";
import { timeLabels } from "./timeAxis";

interface StackedLayer {
  name: string;
  /** A colour variable of the page. */
  colour: string;
  /** One value per bar, from the lowest layer to the highest. */
  values: number[];
}

export interface StackedBarsProps {
  /** Where the bars begin and the last one ends, epoch seconds, ascending: one more than there are bars. */
  edges: number[];
  layers: StackedLayer[];
  /** What the picture shows, in words. */
  label: string;
  height: number;
  /** Rebuilds the picture with the colours of the page. */
  scheme: "light" | "dark";
  formatValue(value: number): string;
  /** Called with the bar under the pointer, or null. */
  onHover(index: number | null): void;
}

/** Bars over time, one layer upon the other. */
export function StackedBars(props: StackedBarsProps) {
  const { edges, layers, label, height, scheme } = props;
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const width = useWidth(container);
  const kinds = layers.map((layer) => layer.colour).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read from the style sheet of this scheme
  useEffect(() => {
    const element = container.current;
    if (!element || width === 0) return;
    const chart = new uPlot(optionsFor(element, width, height, latest), columnsOf(latest.current), element);
    plot.current = chart;
    return () => {
      plot.current = null;
      chart.destroy();
    };
  }, [width, height, scheme, kinds]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the data is made of both
  useEffect(() => {
    plot.current?.setData(columnsOf(latest.current));
  }, [edges, layers]);

  return (
    <div
      ref={container}
      role="img"
      aria-label={label}
      className="chart"
      data-testid="bars"
      data-bars={edges.length - 1}
    />
  );
}

/** Tops of the layers, the highest first, so that each is painted over by those below it. */
function columnsOf({ edges, layers }: StackedBarsProps): uPlot.AlignedData {
  const tops: number[][] = [];
  let below: number[] = edges.slice(1).map(() => 0);
  for (const layer of layers) {
    below = below.map((value, bar) => value + (layer.values[bar] ?? 0));
    tops.unshift(below);
  }
  return [edges.slice(0, -1), ...tops];
}

function optionsFor(
  element: HTMLElement,
  width: number,
  height: number,
  latest: { readonly current: StackedBarsProps },
): uPlot.Options {
  const { colour, axis } = lookOf(element);
  // To the right of where it begins; the gap keeps neighbours apart.
  const paths = uPlot.paths.bars?.({ align: 1, size: [1, Number.POSITIVE_INFINITY], gap: width < 500 ? 1 : 2 });
  return {
    width,
    height,
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: {
      x: {
        time: true,
        range: () => {
          const { edges } = latest.current;
          return [edges[0] ?? 0, edges.at(-1) ?? 1];
        },
      },
      y: { range: (_, __, high) => [0, high > 0 ? high * 1.08 : 1] },
    },
    axes: [
      { ...axis, space: 70, size: 44, values: (_, splits, __, ___, step) => timeLabels(splits, step) },
      {
        ...axis,
        // Counts have no halves.
        incrs: [1, 2, 5]
          .flatMap((one) => Array.from({ length: 12 }, (_, power) => one * 10 ** power))
          .sort((a, b) => a - b),
        size: (_, values) => Math.max(40, ...(values ?? []).map((text) => text.length * 7 + 16)),
        values: (_, splits) => splits.map((split) => latest.current.formatValue(split)),
      },
    ],
    series: [
      {},
      ...[...latest.current.layers].reverse().map((layer) => ({
        label: layer.name,
        fill: colour(layer.colour),
        stroke: colour(layer.colour),
        width: 0,
        points: { show: false },
        ...(paths && { paths }),
      })),
    ],
    hooks: {
      setCursor: [(chart) => latest.current.onHover(barAt(latest.current.edges, chart.cursor.left ?? -1, chart))],
    },
  };
}

function barAt(edges: number[], left: number, chart: uPlot): number | null {
  if (left < 0) return null;
  const moment = chart.posToVal(left, "x");
  const bar = edges.findIndex((edge, index) => edge <= moment && moment < (edges[index + 1] ?? edge));
  return bar < 0 ? null : bar;
}
