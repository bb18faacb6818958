import { useTranslation } from "react-i18next";
import { formatReading, formatTime } from "../ui/format";
import { type BodyProps, Nothing } from "./PanelView";
import { figuresOf, shareOf } from "./values";
import { formatFigure, nameOf } from "./words";

export function BarPanel(props: BodyProps) {
  return props.panel.per === "time" ? <ByTime {...props} /> : <ByDevice {...props} />;
}

function ByDevice({ panel, answer }: BodyProps) {
  const figures = figuresOf(panel, answer).filter((figure) => typeof figure.value === "number");
  if (figures.length === 0) return <Nothing />;
  const values = figures.map((figure) => figure.value as number);
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  return (
    <ul className="bars">
      {figures.map((figure) => (
        <li key={figure.key} className="bar-row">
          <span className="bar-name">{nameOf(figure, figures, answer.labels)}</span>
          <span className="bar-track" aria-hidden="true">
            <span
              className="bar-fill"
              style={{ width: `${high === low ? 0 : shareOf(figure.value as number, low, high) * 100}%` }}
            />
          </span>
          <span className="bar-value">{formatFigure(figure.value, figure.unit, panel.decimals)}</span>
        </li>
      ))}
    </ul>
  );
}

/** Columns over time, of the first series: further ones would stand in front of one another. */
function ByTime({ panel, answer, height }: BodyProps) {
  const { t } = useTranslation("dashboards");
  const series = answer.series[0];
  const show = panel.show && panel.show !== "last" ? panel.show : "avg";
  const bars = (series?.buckets ?? []).flatMap((bucket) => {
    const value = bucket[show];
    return value === null ? [] : [{ start: bucket.start, value }];
  });
  if (!series || bars.length === 0) return <Nothing />;
  const unit = show === "count" ? null : series.unit;
  const low = Math.min(0, ...bars.map((bar) => bar.value));
  const high = Math.max(0, ...bars.map((bar) => bar.value));
  return (
    <>
      <p className="panel-readout">
        <span className="series-name" data-colour={1}>
          {answer.labels[series.deviceId] ?? series.deviceId} · {series.type}
        </span>
        <span className="muted">{t(`show.${show}`)}</span>
        {answer.series.length > 1 && (
          <span className="muted">{t("panel.firstOf", { count: answer.series.length })}</span>
        )}
      </p>
      <ol className="columns-of-time" style={{ height: height - 34 }}>
        {bars.map((bar) => {
          const words = `${formatTime(bar.start)}: ${formatReading(bar.value, unit)}`;
          return (
            <li key={bar.start} title={words}>
              <span
                className="column-fill"
                style={{ height: `${high === low ? 0 : shareOf(bar.value, low, high) * 100}%` }}
              />
              <span className="unseen">{words}</span>
            </li>
          );
        })}
      </ol>
    </>
  );
}
