import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DeviceSeries } from "../api/dashboardTypes";
import { bandColumns } from "../charts/band";
import { COLOURS, LinesChart } from "../charts/LinesChart";
import { lineColumns } from "../charts/lines";
import { SeriesChart } from "../charts/SeriesChart";
import { formatNumber, formatReading, formatTime } from "../ui/format";
import { type BodyProps, Nothing } from "./PanelView";
import { nameOf } from "./words";

const LEGEND = 30;

export function LinePanel(props: BodyProps) {
  const { panel, answer } = props;
  const numbers = useMemo(
    () => answer.series.filter((series) => series.buckets.some((bucket) => bucket.avg !== null)),
    [answer.series],
  );
  const [only] = numbers;
  if (!only) return <Nothing />;
  return numbers.length === 1 && panel.band !== false ? (
    <OneLine {...props} series={only} />
  ) : (
    <ManyLines {...props} all={numbers} />
  );
}

/** The middle of a bucket in epoch seconds, but not after now. */
function middleOf(start: string, bucketSeconds: number, to: number): number {
  return Math.min(Date.parse(start) / 1000 + bucketSeconds / 2, to);
}

function OneLine({ panel, answer, series, from, to, scheme, height }: BodyProps & { series: DeviceSeries }) {
  const { t } = useTranslation("dashboards");
  const [hovered, setHovered] = useState<number | null>(null);
  const columns = useMemo(() => {
    const points = series.buckets.flatMap(({ start, min, avg, max }) =>
      min === null || avg === null || max === null
        ? []
        : [{ time: middleOf(start, series.bucketSeconds, to), min, avg, max }],
    );
    return bandColumns(points, series.bucketSeconds);
  }, [series, to]);
  const name = answer.labels[series.deviceId] ?? series.deviceId;
  const at = hovered !== null && columns[3][hovered] != null ? hovered : columns[0].length - 1;
  const [time, max, min, avg] = [columns[0][at], columns[1][at], columns[2][at], columns[3][at]];
  return (
    <>
      <p className="panel-readout">
        <span className="series-name" data-colour={1}>
          {name} · {series.type}
        </span>
        {time !== undefined && avg != null && (
          <>
            <strong>{formatReading(avg, series.unit)}</strong>
            {min != null && max != null && min !== max && (
              <span className="muted">
                {formatNumber(min)} – {formatNumber(max)}
              </span>
            )}
            <span className="muted">{formatTime(time * 1000)}</span>
          </>
        )}
      </p>
      <SeriesChart
        columns={columns}
        from={from}
        to={to}
        label={t("panel.chartOf", { what: panel.title || `${name} ${series.type}` })}
        height={height - LEGEND}
        scheme={scheme}
        formatValue={formatNumber}
        onHover={setHovered}
      />
    </>
  );
}

function ManyLines({ panel, answer, all, from, to, scheme, height }: BodyProps & { all: DeviceSeries[] }) {
  const { t } = useTranslation("dashboards");
  const [hovered, setHovered] = useState<number | null>(null);
  const columns = useMemo(
    () =>
      lineColumns(
        all.map((series) => ({
          label: series.deviceId,
          bucketSeconds: series.bucketSeconds,
          points: series.buckets.flatMap(({ start, avg }) =>
            avg === null ? [] : [{ time: middleOf(start, series.bucketSeconds, to), value: avg }],
          ),
        })),
      ),
    [all, to],
  );
  const time = hovered === null ? undefined : columns[0][hovered];
  const legend = Math.min(2, Math.ceil(all.length / 4)) * 22 + 8;
  return (
    <>
      <ul className="panel-legend">
        {all.map((series, index) => {
          const column = columns[index + 1];
          const value = hovered === null ? lastOf(column) : column?.[hovered];
          return (
            <li
              key={`${series.deviceId} ${series.type} ${series.unit}`}
              className="series-name"
              data-colour={(index % COLOURS) + 1}
              data-dashed={index >= COLOURS || undefined}
            >
              {nameOf(series, all, answer.labels)}{" "}
              <strong>{value == null ? "–" : formatReading(value, series.unit)}</strong>
            </li>
          );
        })}
        {time !== undefined && <li className="muted">{formatTime(time * 1000)}</li>}
      </ul>
      <LinesChart
        columns={columns}
        from={from}
        to={to}
        label={t("panel.chartOf", {
          what: panel.title || all.map((series) => nameOf(series, all, answer.labels)).join(", "),
        })}
        height={Math.max(80, height - legend)}
        scheme={scheme}
        formatValue={formatNumber}
        onHover={setHovered}
      />
    </>
  );
}

function lastOf(column: (number | null | undefined)[] | undefined): number | null {
  for (let index = (column?.length ?? 0) - 1; index >= 0; index -= 1) {
    const value = column?.[index];
    if (value != null) return value;
  }
  return null;
}
