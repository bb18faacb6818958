import { Skeleton } from "@mantine/core";
import { useMemo } from "react";
import { messageOf } from "../../api/errors";
import { useInsights } from "../../api/telemetry";
import type { Insight } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatCount, formatReading } from "../../ui/format";
import { type Arrival, mergeInsights } from "./liveSeries";

const HOURS = 24;

interface InsightCardsProps {
  deviceId: string;
  arrivals: Arrival[];
  refresh: boolean;
  /** Key of the measurement on the chart. */
  selected: string | null;
  keyOf(type: { type: string; unit: string | null }): string;
  onSelect(key: string): void;
}

/** Latest value and the day's figures of every measurement; a card chooses what the chart shows. */
export function InsightCards({ deviceId, arrivals, refresh, selected, keyOf, onSelect }: InsightCardsProps) {
  const insights = useInsights(deviceId, HOURS, refresh);
  const cards = useMemo(() => (insights.data ? mergeInsights(insights.data, arrivals) : []), [insights.data, arrivals]);
  if (insights.isPending) return <Skeleton height={110} mb="md" />;
  if (insights.isError && !insights.data) {
    return <Failure message={messageOf(insights.error)} onRetry={() => void insights.refetch()} />;
  }
  if (cards.length === 0) return <p className="muted small no-insights">No readings in the last {HOURS} hours.</p>;
  return (
    <section aria-label={`Insights of the last ${HOURS} hours`} className="insights">
      {cards.map((card) => {
        const key = keyOf(card);
        return <Card key={key} card={card} selected={key === selected} onSelect={() => onSelect(key)} />;
      })}
    </section>
  );
}

function Card({ card, selected, onSelect }: { card: Insight; selected: boolean; onSelect(): void }) {
  return (
    <button
      type="button"
      className="card insight"
      aria-pressed={selected}
      onClick={onSelect}
      data-testid="insight"
      data-type={card.type}
    >
      <span className="insight-head">
        <span className="insight-type">{card.type}</span>
        <span>
          {formatCount(card.count)} <span className="insight-wide">readings</span> in {HOURS} h
        </span>
      </span>
      <span className="insight-latest" data-testid="insight-latest" data-type={card.type}>
        {formatReading(card.latest, card.unit)}
      </span>
      {card.avg !== null && (
        <span className="insight-figures">
          <Figure name="min" value={formatReading(card.min)} />
          <Figure name="avg" value={formatReading(card.avg)} />
          <Figure name="max" value={formatReading(card.max)} />
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
