import { useTranslation } from "react-i18next";
import { formatNumber, formatRelative } from "../ui/format";
import { Level } from "./Level";
import { type BodyProps, Nothing } from "./PanelView";
import { figuresOf, levelOf, shareOf, stretchesOf } from "./values";
import { formatFigure, nameOf } from "./words";

export function GaugePanel({ panel, answer, now }: BodyProps) {
  const { t } = useTranslation("dashboards");
  const figures = figuresOf(panel, answer).filter((figure) => typeof figure.value === "number");
  const min = panel.min ?? 0;
  const max = panel.max ?? 100;
  if (figures.length === 0) return <Nothing />;
  return (
    <ul className="gauges">
      {figures.map((figure) => {
        const value = figure.value as number;
        const level = levelOf(panel.thresholds, value);
        const words = formatFigure(value, figure.unit, panel.decimals);
        const name = nameOf(figure, figures, answer.labels);
        return (
          <li key={figure.key} className="gauge">
            <svg
              viewBox="0 0 120 68"
              role="img"
              aria-label={t("panel.gaugeOf", { name, value: words, min: formatNumber(min), max: formatNumber(max) })}
            >
              <path className="gauge-ground" d={arc(0, 1, 50)} />
              {stretchesOf(panel.thresholds, min, max).map((stretch) => (
                <path
                  key={stretch.from}
                  className="gauge-stretch"
                  data-level={stretch.level}
                  d={arc(stretch.from, stretch.to, 58)}
                />
              ))}
              <path className="gauge-value" data-level={level?.level} d={arc(0, shareOf(value, min, max), 50)} />
            </svg>
            <span className="gauge-figure">{words}</span>
            <span className="stat-foot">
              {level && <Level threshold={level} />}
              {figure.recordedAt !== null && <span className="muted">{formatRelative(figure.recordedAt, now)}</span>}
            </span>
            <span className="stat-name">{name}</span>
          </li>
        );
      })}
    </ul>
  );
}

/** A part of the half circle, from left to right. */
function arc(from: number, to: number, radius: number): string {
  const at = (share: number) => {
    const angle = Math.PI * (1 - share);
    return `${(60 + radius * Math.cos(angle)).toFixed(2)} ${(62 - radius * Math.sin(angle)).toFixed(2)}`;
  };
  return to <= from ? "" : `M${at(from)}A${radius} ${radius} 0 0 1 ${at(to)}`;
}
