import { useComputedColorScheme } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { exportPath } from "../../api/telemetry";
import type { Bucket, MeasurementType, Series } from "../../api/types";
import { bandColumns } from "../../charts/band";
import type { ChartGroup } from "../../charts/ChartGroup";
import type { OtherLine } from "../../charts/marks";
import { type ChartHandle, SeriesChart } from "../../charts/SeriesChart";
import { text } from "../../texts";
import { shownTimeZone } from "../../texts/locale";
import { formatCount, formatDuration, formatNumber, formatReading, formatTime } from "../../ui/format";
import { bucketsCsv, fileName } from "./bucketsCsv";
import { ChartFiles } from "./ChartFiles";
import { type Comparison, valueNear } from "./compare";
import type { Zooming } from "./SeriesPanel";
import { lateOf, numericPoints, type Summary, summaryOf } from "./seriesPoints";

interface NumberChartProps {
  deviceId: string;
  deviceName: string;
  type: MeasurementType;
  series: Series;
  buckets: Bucket[];
  other: OtherLine | undefined;
  otherName: Comparison | null;
  edges: { from: number; to: number };
  rolling: boolean;
  asOf: number | null;
  /** What is drawn is of the range before; the answer is on its way. */
  updating: boolean;
  group: ChartGroup;
  zooming: Zooming;
}

/** The chart of one series of numbers with what is under the cursor, its figures and its files. */
export function NumberChart(props: NumberChartProps) {
  const { t } = useTranslation("device");
  const { deviceId, deviceName, type, series, buckets, other, edges, rolling, asOf, group, zooming } = props;
  const scheme = useComputedColorScheme("light");
  const narrow = useMediaQuery("(max-width: 40em)", false, { getInitialValueInEffect: false });
  const chart = useRef<ChartHandle>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  const { bucketSeconds } = series;
  const unknownFrom = asOf === null ? undefined : asOf / 1000;
  const present = Math.min(rolling ? edges.to / 1000 : Number.POSITIVE_INFINITY, unknownFrom ?? Infinity);
  const points = useMemo(() => numericPoints(buckets, bucketSeconds, present), [buckets, bucketSeconds, present]);
  const columns = useMemo(
    () =>
      bandColumns(
        points.map((entry) => entry.point),
        bucketSeconds,
      ),
    [points, bucketSeconds],
  );
  const marks = useMemo(
    () => ({ late: lateOf(buckets, bucketSeconds), other, unknownFrom }),
    [buckets, bucketSeconds, other, unknownFrom],
  );
  const summary = useMemo(() => summaryOf(buckets), [buckets]);

  const at = hovered === null ? undefined : columns[0][hovered];
  const under = at === undefined ? undefined : points.find((entry) => entry.point.time === at)?.bucket;
  const shown = under ?? points[points.length - 1]?.bucket;
  const then = other && at !== undefined ? valueNear(other, at, bucketSeconds) : null;
  const name = fileName(deviceId, type.type, formatTime(edges.from).slice(0, 16), formatTime(edges.to).slice(0, 16));
  return (
    <>
      <p className="readout" data-testid="readout">
        {shown && (
          <>
            <span>{readoutTime(shown, bucketSeconds)}</span>
            <span>
              <span className="key key-line" aria-hidden="true" /> {t("chart.average")}{" "}
              <b>{formatReading(shown.avg, type.unit)}</b>
            </span>
            <span>
              <span className="key key-band" aria-hidden="true" />{" "}
              {t("chart.between", { min: formatReading(shown.min), max: formatReading(shown.max, type.unit) })}
            </span>
            {other && (
              <span>
                <span className="key key-other" aria-hidden="true" /> {t(`compare.${props.otherName ?? "previous"}`)}{" "}
                {then !== null && <b>{formatReading(then, type.unit)}</b>}
              </span>
            )}
            <span className="muted">
              {t("chart.readings", { count: shown.count, shown: formatCount(shown.count) })}
            </span>
            {shown.late > 0 && (
              <span className="readout-late">
                <span className="key key-late" aria-hidden="true" />{" "}
                {t("chart.late", { count: shown.late, shown: formatCount(shown.late) })}
              </span>
            )}
          </>
        )}
      </p>
      <SeriesChart
        ref={chart}
        columns={columns}
        from={edges.from / 1000}
        // A little air, so that the newest point is not cut by the edge.
        to={(edges.to + (rolling ? (edges.to - edges.from) * 0.005 : 0)) / 1000}
        height={narrow ? 190 : 230}
        scheme={scheme}
        formatValue={formatNumber}
        label={inWords(type, summary, edges)}
        marks={marks}
        group={group}
        describedBy="zoom-keys"
        onHover={setHovered}
        onSelect={zooming.onMark}
        onZoom={zooming.onZoom}
        onReset={zooming.onReset}
        onBack={zooming.onBack}
      />
      <div className="chart-foot">
        <p className="muted small" aria-live="off">
          {props.updating && `${t("chart.updating")} `}
          {summary && figures(summary, type.unit, bucketSeconds)}
        </p>
        <ChartFiles
          label={type.type}
          fileName={name}
          rawPath={exportPath(deviceId, { type: type.type, ...edges, asOf, format: "csv" })}
          csv={() => bucketsCsv(series, buckets)}
          picture={() =>
            chart.current?.picture({
              title: type.unit ? `${type.type} (${type.unit})` : type.type,
              lines: [
                `${deviceName} · ${formatTime(edges.from)} – ${formatTime(edges.to)} (${shownTimeZone()})`,
                ...(asOf === null ? [] : [text("device:past.title", { time: formatTime(asOf) })]),
                ...(summary ? [figures(summary, type.unit, bucketSeconds)] : []),
              ],
            })
          }
        />
      </div>
    </>
  );
}

function readoutTime(bucket: Bucket, bucketSeconds: number): string {
  const start = formatTime(bucket.start);
  if (bucketSeconds < 2) return start;
  const end = formatTime(Date.parse(bucket.start) + bucketSeconds * 1000);
  return `${start} – ${end.startsWith(start.slice(0, 10)) ? end.slice(11) : end}`;
}

function figures(summary: Summary, unit: string | null, bucketSeconds: number): string {
  const { count, late, min, avg, max } = summary;
  const words = [
    text("device:chart.readings", { count, shown: formatCount(count) }),
    text("device:chart.figures", {
      min: formatReading(min),
      avg: formatReading(avg),
      max: formatReading(max, unit),
    }),
    text("device:chart.steps", { duration: formatDuration(bucketSeconds * 1000).replace(/[.,]0/, "") }),
  ];
  if (late > 0) words.push(text("device:chart.late", { count: late, shown: formatCount(late) }));
  return words.join(" · ");
}

function inWords(type: MeasurementType, summary: Summary | null, edges: { from: number; to: number }): string {
  return text("device:chart.inWords", {
    type: type.type,
    from: formatTime(edges.from),
    to: formatTime(edges.to),
    min: formatReading(summary?.min, type.unit),
    max: formatReading(summary?.max, type.unit),
    last: formatReading(summary?.last.avg, type.unit),
  });
}
