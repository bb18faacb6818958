import { Button, useComputedColorScheme } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useMemo, useState } from "react";
import { messageOf } from "../../api/errors";
import type { LiveState } from "../../api/live";
import { edgesOf, type Span } from "../../api/span";
import { useSeries } from "../../api/telemetry";
import type { Bucket, MeasurementType } from "../../api/types";
import { type BandPoint, bandColumns } from "../../charts/band";
import { SeriesChart } from "../../charts/SeriesChart";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatCount, formatDuration, formatNumber, formatReading, formatTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { useNow } from "../../ui/useNow";
import { type Arrival, mergeSeries } from "./liveSeries";
import { dayUntil } from "./range";

interface SeriesPanelProps {
  deviceId: string;
  type: MeasurementType | undefined;
  span: Span;
  arrivals: Arrival[];
  liveState: LiveState;
  /** When the newest known reading was recorded, epoch ms. */
  lastRecorded: number | null;
  onSpan(span: Span): void;
}

export function SeriesPanel({ deviceId, type, span, arrivals, liveState, lastRecorded, onSpan }: SeriesPanelProps) {
  const scheme = useComputedColorScheme("light");
  const narrow = useMediaQuery("(max-width: 40em)", false, { getInitialValueInEffect: false });
  const running = span.kind === "rolling" && liveState !== "paused";
  const now = useNow(1_000, running);
  const [hovered, setHovered] = useState<number | null>(null);
  const series = useSeries(deviceId, {
    type: type?.type ?? "",
    unit: type?.unit ?? null,
    span,
    enabled: type !== undefined,
    refresh: liveState !== "paused",
  });
  const asked = series.data;
  const buckets = useMemo(() => (asked ? mergeSeries(asked, arrivals) : []), [asked, arrivals]);
  const bucketSeconds = asked?.answer.bucketSeconds ?? 1;
  const present = span.kind === "rolling" ? now / 1000 : Number.POSITIVE_INFINITY;
  const points = useMemo(() => numericPoints(buckets, bucketSeconds, present), [buckets, bucketSeconds, present]);
  const columns = useMemo(
    () =>
      bandColumns(
        points.map((entry) => entry.point),
        bucketSeconds,
      ),
    [points, bucketSeconds],
  );

  if (type === undefined) {
    return <Empty title="Nothing measured yet">The chart begins with the first reading of this device.</Empty>;
  }
  if (series.isError && !asked) {
    return <Failure message={messageOf(series.error)} onRetry={() => void series.refetch()} />;
  }
  if (!asked) return <Loading label="Loading the chart" />;

  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  if (type.kind !== "number") {
    const last = buckets[buckets.length - 1];
    return (
      <Empty title={total > 0 ? `${countReadings(total)}, the last: ${formatReading(last?.last)}` : "No readings here"}>
        {type.type} is {type.kind === "boolean" ? "true or false" : "a word"}, not a number; its readings are in the
        table below.
      </Empty>
    );
  }
  const edges = edgesOf(span, now);
  if (points.length === 0) {
    const elsewhere = lastRecorded !== null && (lastRecorded < edges.from || lastRecorded >= edges.to);
    return (
      <Empty title="No readings in this time range">
        {elsewhere && lastRecorded !== null ? (
          <>
            <p>The latest one was recorded on {formatTime(lastRecorded)}.</p>
            <Button variant="default" size="xs" onClick={() => onSpan(dayUntil(lastRecorded))}>
              Show the day before it
            </Button>
          </>
        ) : (
          "Choose a longer range."
        )}
      </Empty>
    );
  }

  const unit = type.unit;
  const under = hovered === null ? undefined : bucketAt(columns[0][hovered], points);
  const shown = under ?? points[points.length - 1];
  return (
    <>
      <p className="readout">
        {shown && (
          <>
            <span>{readoutTime(shown.bucket, bucketSeconds)}</span>
            <span>
              <span className="key key-line" aria-hidden="true" /> average{" "}
              <b>{formatReading(shown.bucket.avg, unit)}</b>
            </span>
            <span>
              <span className="key key-band" aria-hidden="true" /> {formatReading(shown.bucket.min)} to{" "}
              {formatReading(shown.bucket.max, unit)}
            </span>
            <span className="muted">{countReadings(shown.bucket.count)}</span>
          </>
        )}
      </p>
      <SeriesChart
        columns={columns}
        from={edges.from / 1000}
        // A little air, so that the newest point is not cut by the edge.
        to={(edges.to + (span.kind === "rolling" ? (edges.to - edges.from) * 0.005 : 0)) / 1000}
        height={narrow ? 240 : 320}
        scheme={scheme}
        formatValue={formatNumber}
        label={inWords(type, buckets, edges)}
        onHover={setHovered}
        onSelect={(from, to) => onSpan({ kind: "fixed", from: Math.round(from * 1000), to: Math.round(to * 1000) })}
      />
      <p className="muted small chart-note">
        {countReadings(total)} in steps of {formatDuration(bucketSeconds * 1000).replace(".0", "")}. Mark a stretch to
        look closer. Times are local.
      </p>
    </>
  );
}

interface Drawn {
  point: BandPoint;
  bucket: Bucket;
}

/** Numeric buckets as points in the middle of their bucket; the one that is still filling is drawn at the present. */
function numericPoints(buckets: Bucket[], bucketSeconds: number, present: number): Drawn[] {
  const drawn: Drawn[] = [];
  for (const bucket of buckets) {
    if (bucket.avg === null || bucket.min === null || bucket.max === null) continue;
    const start = Date.parse(bucket.start) / 1000;
    const time = Math.max(start, Math.min(start + bucketSeconds / 2, present));
    drawn.push({ bucket, point: { time, min: bucket.min, avg: bucket.avg, max: bucket.max } });
  }
  return drawn;
}

function countReadings(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "reading" : "readings"}`;
}

function bucketAt(time: number | undefined, points: Drawn[]): Drawn | undefined {
  return points.find((entry) => entry.point.time === time);
}

function readoutTime(bucket: Bucket, bucketSeconds: number): string {
  const start = formatTime(bucket.start);
  if (bucketSeconds < 2) return start;
  return `${start} – ${formatTime(Date.parse(bucket.start) + bucketSeconds * 1000).slice(11)}`;
}

function inWords(type: MeasurementType, buckets: Bucket[], edges: { from: number; to: number }): string {
  const low = Math.min(...buckets.map((bucket) => bucket.min ?? Number.POSITIVE_INFINITY));
  const high = Math.max(...buckets.map((bucket) => bucket.max ?? Number.NEGATIVE_INFINITY));
  const last = buckets[buckets.length - 1];
  return (
    `Chart of ${type.type} from ${formatTime(edges.from)} to ${formatTime(edges.to)}: ` +
    `lowest ${formatReading(low, type.unit)}, highest ${formatReading(high, type.unit)}, last average ${formatReading(last?.avg, type.unit)}`
  );
}
