import type uPlot from "uplot";
import { isolatedPoints } from "./band";
import { drawOver, drawUnder, rangeOf } from "./marks";
import { lookOf, valueRange } from "./plot";
import type { SeriesChartProps } from "./SeriesChart";
import { timeLabels, timeTicks } from "./timeAxis";

/** Pixels between two labels of the time axis. */
const LABEL_SPACE = 78;

/** How uPlot draws a chart of `SeriesChart`; `latest` is read anew with each drawing. */
export function optionsFor(
  element: HTMLElement,
  width: number,
  height: number,
  latest: { readonly current: SeriesChartProps },
): uPlot.Options {
  const { colour, axis } = lookOf(element);
  const line = colour("--chart-line");
  // Thin edges: a spike that is one reading wide is seen, too.
  const edge = { stroke: colour("--chart-edge"), width: 0.75, points: { show: false } };
  const markColours = { late: colour("--chart-late"), other: colour("--chart-other"), unknown: colour("--page-soft") };
  const group = latest.current.group;
  return {
    width,
    height,
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 8, fill: line },
      y: false,
      bind: { dblclick: () => null },
      ...(group && { sync: linked(group.key) }),
    },
    scales: {
      x: {
        time: true,
        range: () => {
          const { from, to, group: together } = latest.current;
          return [together?.view?.from ?? from, together?.view?.to ?? to];
        },
      },
      y: { range: (chart, low, high) => valueRange(...withOther(chart, low, high, latest.current)) },
    },
    axes: [
      {
        ...axis,
        space: LABEL_SPACE,
        size: 44,
        splits: (chart, _, from, to) => timeTicks(from, to, chart.over.clientWidth / LABEL_SPACE || 8).splits,
        values: (chart, splits) => {
          const { min, max } = chart.scales.x ?? {};
          const ticks = timeTicks(min ?? 0, max ?? 1, chart.over.clientWidth / LABEL_SPACE || 8);
          return timeLabels(splits, ticks.step);
        },
      },
      {
        ...axis,
        size: (_, values) => {
          const needed = Math.max(40, ...(values ?? []).map((text) => text.length * 7 + 16));
          return latest.current.group?.axisWidth(needed) ?? needed;
        },
        values: (_, splits) => splits.map((split) => latest.current.formatValue(split)),
      },
    ],
    series: [
      {},
      { ...edge, label: "max" },
      { ...edge, label: "min" },
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
      drawAxes: [(chart) => latest.current.marks && drawUnder(chart, latest.current.marks, markColours)],
      draw: [(chart) => latest.current.marks && drawOver(chart, latest.current.marks, markColours)],
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

/** Cursors at the same moment on all charts; what one chart is marked by does not mark the others. */
function linked(key: string): uPlot.Cursor.Sync {
  const moves = (type: string) => type === "mousemove" || type === "mouseleave";
  return { key, setSeries: false, scales: ["x", null], filters: { pub: moves } };
}

/** Lowest and highest of what is seen, the other period included. */
function withOther(
  chart: uPlot,
  low: number | null,
  high: number | null,
  { marks }: SeriesChartProps,
): [number | null, number | null] {
  const { min, max } = chart.scales.x ?? {};
  const other = marks?.other && min != null && max != null ? rangeOf(marks.other, min, max) : null;
  if (!other) return [low, high];
  return [low === null ? other[0] : Math.min(low, other[0]), high === null ? other[1] : Math.max(high, other[1])];
}
