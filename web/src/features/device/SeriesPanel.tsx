import { Button, Skeleton } from "@mantine/core";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { edgesOf, type Span } from "../../api/span";
import { useSeries, useSeriesBetween } from "../../api/telemetry";
import type { Device, MeasurementType } from "../../api/types";
import type { ChartGroup } from "../../charts/ChartGroup";
import type { View } from "../../charts/view";
import { shownTimeZone } from "../../texts/locale";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatReading, formatTime } from "../../ui/format";
import { useNow } from "../../ui/useNow";
import { type Comparison, otherLine, otherPeriod } from "./compare";
import { LiveSeries } from "./liveSeries";
import { NumberChart } from "./NumberChart";
import { dayUntil } from "./range";
import type { Arrivals } from "./useArrivals";

/** How the page zooms, for all charts. */
export interface Zooming {
  onMark(from: number, to: number): void;
  onZoom(view: View): void;
  onReset(): void;
  onBack(): void;
}

export interface SeriesPanelProps {
  device: Device;
  type: MeasurementType;
  span: Span;
  asOf: number | null;
  compare: Comparison | null;
  arrivals: Arrivals;
  /** Readings flow onto the page, or are asked for again and again. */
  following: boolean;
  group: ChartGroup;
  zooming: Zooming;
  onSpan(span: Span): void;
}

/** One measurement over the range: its chart, or why there is none. */
export function SeriesPanel(props: SeriesPanelProps) {
  const { t } = useTranslation("device");
  const { device, type, span, asOf, compare, arrivals, following } = props;
  const { deviceId } = device;
  const now = useNow(1_000, span.kind === "rolling" && following);
  const series = useSeries(deviceId, {
    type: type.type,
    unit: type.unit,
    span,
    enabled: true,
    refresh: following,
    asOf,
  });
  const asked = series.data;
  const live = useMemo(() => (asked ? new LiveSeries(asked) : null), [asked]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `end` tells that the log holds more
  const buckets = useMemo(
    () => (live && following ? live.with(arrivals.log) : (asked?.answer.buckets ?? [])),
    [live, following, asked, arrivals.log, arrivals.end],
  );

  const zone = shownTimeZone();
  const between = useMemo(() => {
    if (!asked || compare === null) return null;
    const edges = { from: Date.parse(asked.answer.from), to: Date.parse(asked.answer.to) };
    const length = span.kind === "rolling" ? span.seconds * 1000 : span.to - span.from;
    const points = Math.ceil((edges.to - edges.from) / 1000 / asked.answer.bucketSeconds);
    return { own: edges, points, ...otherPeriod(compare, edges, zone, length) };
  }, [asked, compare, span, zone]);
  const earlier = useSeriesBetween(deviceId, { type: type.type, unit: type.unit, asOf }, between);
  const other = useMemo(() => {
    if (!between || !earlier.data || earlier.isPlaceholderData) return undefined;
    return otherLine(earlier.data.buckets, earlier.data.bucketSeconds, between.own.from - between.from);
  }, [between, earlier.data, earlier.isPlaceholderData]);

  if (series.isError && !asked) {
    return <Failure message={messageOf(series.error)} onRetry={() => void series.refetch()} />;
  }
  if (!asked) return <Skeleton height={278} aria-label={t("chart.loading")} />;

  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  if (type.kind !== "number") {
    const last = buckets[buckets.length - 1];
    return (
      <Empty title={t("chart.words", { count: total, value: formatReading(last?.last) })}>
        {t(type.kind === "boolean" ? "chart.noNumberBoolean" : "chart.noNumber", { type: type.type })}
      </Empty>
    );
  }
  const edges = edgesOf(span, now);
  if (buckets.every((bucket) => bucket.avg === null) && !other?.times.length) {
    return <NothingHere {...props} edges={edges} />;
  }
  return (
    <NumberChart
      deviceId={deviceId}
      deviceName={device.label || deviceId}
      type={type}
      series={asked.answer}
      buckets={buckets}
      other={other}
      otherName={compare}
      edges={edges}
      rolling={span.kind === "rolling"}
      asOf={asOf}
      updating={series.isPlaceholderData}
      group={props.group}
      zooming={props.zooming}
    />
  );
}

function NothingHere({
  device,
  type,
  asOf,
  edges,
  onSpan,
}: SeriesPanelProps & { edges: { from: number; to: number } }) {
  const { t } = useTranslation("device");
  const last = lastRecorded(device, type);
  const elsewhere = asOf === null && last !== null && (last < edges.from || last >= edges.to);
  return (
    <Empty title={t(asOf === null ? "chart.nothing" : "chart.nothingThen")}>
      {elsewhere && last !== null ? (
        <>
          <p>{t("chart.latest", { time: formatTime(last) })}</p>
          <Button variant="default" size="xs" onClick={() => onSpan(dayUntil(last))}>
            {t("chart.showDayBefore")}
          </Button>
        </>
      ) : (
        t(asOf === null ? "chart.chooseLonger" : "chart.chooseLater")
      )}
    </Empty>
  );
}

/** When the newest known reading of a measurement was recorded, in epoch ms. */
function lastRecorded(device: Device, type: MeasurementType): number | null {
  const times = device.lastValues
    .filter((value) => value.type === type.type && value.unit === type.unit)
    .map((value) => Date.parse(value.recordedAt));
  return times.length > 0 ? Math.max(...times) : null;
}
