import { Button, Skeleton } from "@mantine/core";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useInsights } from "../../api/telemetry";
import type { Insight, MeasurementType } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatCount, formatReading } from "../../ui/format";
import { keyOfType } from "./address";
import { LiveInsights } from "./liveSeries";
import type { Arrivals } from "./useArrivals";

const HOURS = 24;
/** Cards of a device that measures a great deal are shown in part. */
const FIRST_CARDS = 12;

interface InsightCardsProps {
  deviceId: string;
  types: MeasurementType[];
  arrivals: Arrivals;
  following: boolean;
  /** The page shows what was known earlier: these figures are of now, and not shown. */
  past: boolean;
  /** Keys of the measurements on charts. */
  selected: string[];
  onToggle(key: string): void;
}

/** A card for every measurement, with its latest value and the day's figures; it puts the measurement on a chart, or takes it off. */
export function InsightCards({ deviceId, types, arrivals, following, past, selected, onToggle }: InsightCardsProps) {
  const { t } = useTranslation("device");
  const [all, setAll] = useState(false);
  const insights = useInsights(deviceId, HOURS, following);
  const live = useMemo(() => (insights.data ? new LiveInsights(insights.data) : null), [insights.data]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `end` tells that the log holds more
  const figures = useMemo(
    () => (live && following ? live.with(arrivals.log) : (insights.data?.answer.insights ?? [])),
    [live, following, insights.data, arrivals.log, arrivals.end],
  );
  if (insights.isPending) return <Skeleton height={114} mb="md" aria-label={t("insights.loading")} />;
  if (insights.isError && !insights.data) {
    return <Failure message={messageOf(insights.error)} onRetry={() => void insights.refetch()} />;
  }
  const byKey = new Map(figures.map((insight) => [keyOfType(insight), insight]));
  const keys = new Set([...types.map(keyOfType), ...byKey.keys()]);
  const named = new Map([...types, ...figures].map((each) => [keyOfType(each), each]));
  const cards = [...keys];
  const visible = all ? cards : cards.filter((key, index) => index < FIRST_CARDS || selected.includes(key));
  return (
    <section aria-label={t("insights.title", { hours: HOURS })} className="insights">
      {visible.map((key) => {
        const { type, unit } = named.get(key) as { type: string; unit: string | null };
        return (
          <Card
            key={key}
            type={type}
            unit={unit}
            figures={past ? undefined : byKey.get(key)}
            past={past}
            selected={selected.includes(key)}
            onToggle={() => onToggle(key)}
          />
        );
      })}
      {visible.length < cards.length && (
        <Button variant="default" className="insights-more" onClick={() => setAll(true)}>
          {t("insights.more", { count: cards.length - visible.length })}
        </Button>
      )}
    </section>
  );
}

interface CardProps {
  type: string;
  unit: string | null;
  figures: Insight | undefined;
  past: boolean;
  selected: boolean;
  onToggle(): void;
}

function Card({ type, unit, figures, past, selected, onToggle }: CardProps) {
  const { t } = useTranslation("device");
  return (
    <button
      type="button"
      className="card insight"
      aria-pressed={selected}
      onClick={onToggle}
      title={t(selected ? "insights.takeOff" : "insights.putOn")}
      data-testid="insight"
      data-type={type}
    >
      <span className="insight-head">
        <span className="insight-type">{type}</span>
        {figures && <span>{t("insights.count", { count: figures.count, shown: formatCount(figures.count) })}</span>}
      </span>
      {figures ? (
        <span className="insight-latest" data-testid="insight-latest" data-type={type}>
          {formatReading(figures.latest, unit)}
        </span>
      ) : (
        <span className="muted small">{t(past ? "insights.past" : "insights.none", { hours: HOURS })}</span>
      )}
      {figures && figures.avg !== null && (
        <span className="insight-figures">
          <Figure name={t("insights.min")} value={formatReading(figures.min)} />
          <Figure name={t("insights.avg")} value={formatReading(figures.avg)} />
          <Figure name={t("insights.max")} value={formatReading(figures.max)} />
        </span>
      )}
    </button>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <span className="insight-figure">
      <span className="muted">{name}</span> {value}
    </span>
  );
}
