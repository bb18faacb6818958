import { useTranslation } from "react-i18next";
import { formatRelative } from "../ui/format";
import { Level } from "./Level";
import { type BodyProps, Nothing } from "./PanelView";
import { Sparkline } from "./Sparkline";
import { figuresOf, levelOf } from "./values";
import { formatFigure, nameOf } from "./words";

/** What was recorded longer ago says so in colour, too. */
const OLD_MS = 3_600_000;

export function StatPanel({ panel, answer, now, height }: BodyProps) {
  const { t } = useTranslation("dashboards");
  const figures = figuresOf(panel, answer);
  if (figures.length === 0) return <Nothing />;
  return (
    <ul className="stats" data-one={figures.length === 1 || undefined}>
      {figures.map((figure) => {
        const level = levelOf(panel.thresholds, figure.value);
        return (
          <li key={figure.key} className="stat" data-level={level?.level}>
            <span className="stat-name">{nameOf(figure, figures, answer.labels)}</span>
            <span className="stat-value" data-testid="stat-value">
              {formatFigure(figure.value, figure.unit, panel.decimals)}
            </span>
            <span className="stat-foot">
              {level && <Level threshold={level} />}
              {figure.recordedAt !== null && (
                <span className={now - Date.parse(figure.recordedAt) > OLD_MS ? "stat-old" : "muted"}>
                  {formatRelative(figure.recordedAt, now)}
                </span>
              )}
              {figure.recordedAt === null && <span className="muted">{t(`show.${panel.show ?? "last"}`)}</span>}
            </span>
            {panel.sparkline !== false && height > 130 && <Sparkline values={figure.course} />}
          </li>
        );
      })}
    </ul>
  );
}
