import { type Ref, useEffect, useImperativeHandle, useRef } from "react";
import uPlot from "uplot";
import { shownTimeZone, useLocale } from "../texts/locale";
import type { BandColumns } from "./band";
import type { ChartGroup } from "./ChartGroup";
import { listen } from "./gestures";
import type { Marks } from "./marks";
import { optionsFor } from "./options";
import { type Caption, pictureOf } from "./picture";
import { useWidth } from "./plot";
import type { View } from "./view";

/** What a chart can be asked for. */
export interface ChartHandle {
  /** The chart as a PNG below a caption. */
  picture(caption: Caption): Promise<Blob>;
}

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
  /** Late arrivals, another period, what was not known. */
  marks?: Marks;
  /** Charts with this one's time axis: linked cursors, zoomed together by keyboard, fingers and wheel. */
  group?: ChartGroup;
  /** Called when keyboard, fingers or wheel have changed the stretch that is shown. */
  onZoom?(view: View): void;
  onReset?(): void;
  onBack?(): void;
  /** Id of the element that says which keys there are. */
  describedBy?: string;
  ref?: Ref<ChartHandle>;
}

/** Average line inside a band from minimum to maximum. */
export function SeriesChart(props: SeriesChartProps) {
  const { columns, from, to, label, height, scheme, marks, group } = props;
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const width = useWidth(container);
  const { language } = useLocale();
  const zone = shownTimeZone();

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours, words and zone are read while the chart is made
  useEffect(() => {
    const element = container.current;
    if (!element || width === 0) return;
    const chart = new uPlot(optionsFor(element, width, height, latest), latest.current.columns, element);
    plot.current = chart;
    const leave = group?.join({
      show: (view) => chart.setScale("x", viewOf(view, latest.current)),
      widen: () => chart.redraw(false, true),
    });
    const deaf = group ? listen(element, chart.over, targetOf(latest)) : undefined;
    return () => {
      leave?.();
      deaf?.();
      plot.current = null;
      chart.destroy();
    };
  }, [width, height, scheme, group, language, zone]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: edges and marks are read by the chart while the data is set
  useEffect(() => {
    plot.current?.setData(columns);
  }, [columns, from, to, marks]);

  useImperativeHandle(props.ref, () => ({
    picture: (caption) => {
      const [element, chart] = [container.current, plot.current];
      if (!element || !chart) return Promise.reject(new Error("the chart is not drawn"));
      const style = getComputedStyle(element);
      const look = {
        background: style.getPropertyValue("--page-card").trim(),
        text: style.getPropertyValue("--page-text").trim(),
        muted: style.getPropertyValue("--page-muted").trim(),
        fontFamily: style.fontFamily,
      };
      return pictureOf(chart.ctx.canvas, caption, look, devicePixelRatio);
    },
  }));

  // With keys of its own it is a control; without them it is a picture.
  const role = group
    ? { role: "application", tabIndex: 0, "aria-label": label, "aria-describedby": props.describedBy }
    : { role: "img", "aria-label": label };
  return (
    <div
      {...role}
      ref={container}
      className={group ? "chart chart-zoomed" : "chart"}
      // Its place is kept until it is drawn.
      style={{ minHeight: height }}
      data-testid="chart"
      data-points={columns[0].length}
    />
  );
}

function viewOf(view: View | null, { from, to }: SeriesChartProps): { min: number; max: number } {
  return { min: view?.from ?? from, max: view?.to ?? to };
}

/** Gestures of one chart, told to its group while they last and to the page when they end. */
function targetOf(latest: { readonly current: SeriesChartProps }): Parameters<typeof listen>[2] {
  const end = () => latest.current.group?.show(null);
  return {
    view: () => latest.current.group?.view ?? { from: latest.current.from, to: latest.current.to },
    onPreview: (view) => latest.current.group?.show(view),
    onChange: (view) => {
      latest.current.onZoom?.(view);
      end();
    },
    onReset: () => {
      latest.current.onReset?.();
      end();
    },
    onBack: () => {
      latest.current.onBack?.();
      end();
    },
  };
}
