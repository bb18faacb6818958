import type { Asked } from "../../api/telemetry";
import type { Bucket, Insight, LiveEvent, Series, TelemetryEvent } from "../../api/types";
import { latenessOf } from "../../ui/format";
import { type Arrival, type ArrivalLog, keyOf } from "./arrivalLog";
import { LATE_MS } from "./lateness";

/**
 * Readings that arrived live, laid over what was asked for; the next answer replaces the overlay.
 *
 * An answer holds what was stored before it was asked for. What arrived later is counted in. What arrived about that time
 * may be in the answer already: unless it cannot be, it only widens the figures (latest, lowest, highest), which it may do
 * twice, and is not counted.
 */

/** Milliseconds by which an answer may be older than its question. */
const OLDER_MS = 1_000;
/** Milliseconds from storing a reading to its arrival: one that was stored before the question may arrive after it. */
const DELIVERY_MS = 250;

/** Follows a log: what is new in it is told once, with whether an answer surely does not hold it. */
abstract class Overlay {
  private next: number | null = null;

  constructor(private readonly askedAt: number) {}

  protected abstract take(event: LiveEvent, sure: boolean): void;

  /** Takes what is new in the log; false when nothing is. */
  protected follow(log: ArrivalLog): boolean {
    const from = this.next ?? log.start;
    this.next = log.end;
    const fresh = log.between(from);
    this.lay(fresh);
    return fresh.length > 0;
  }

  protected lay(arrivals: Arrival[]): void {
    for (const { arrivedAt, event } of arrivals) {
      if (arrivedAt >= this.askedAt - OLDER_MS) this.take(event, arrivedAt >= this.askedAt + DELIVERY_MS);
    }
  }
}

/** The buckets of a series with the later arrivals of its type and unit counted in. */
export class LiveSeries extends Overlay {
  private readonly buckets: Map<number, Bucket>;
  private readonly answered: ReadonlySet<number>;
  private readonly width: number;
  private readonly anchor: number;
  private shown: Bucket[];
  private changed = false;

  constructor(private readonly asked: Asked<Series>) {
    super(asked.askedAt);
    const { answer } = asked;
    this.width = answer.bucketSeconds * 1000;
    this.anchor = Date.parse(answer.from);
    this.shown = answer.buckets;
    this.buckets = new Map(answer.buckets.map((bucket) => [Date.parse(bucket.start), bucket]));
    this.answered = new Set(this.buckets.keys());
  }

  /** The buckets in order, with what the log holds; the same list while nothing changes. */
  with(log: ArrivalLog): Bucket[] {
    this.follow(log);
    return this.inOrder();
  }

  /** As `with`, of arrivals that were not laid over yet. */
  plus(arrivals: Arrival[]): Bucket[] {
    this.lay(arrivals);
    return this.inOrder();
  }

  private inOrder(): Bucket[] {
    if (this.changed) {
      this.shown = [...this.buckets.entries()].sort(([a], [b]) => a - b).map(([, bucket]) => bucket);
      this.changed = false;
    }
    return this.shown;
  }

  protected take(event: LiveEvent, sure: boolean): void {
    const { type, unit } = this.asked.answer;
    if (event.type !== type || (event.unit ?? null) !== (unit ?? null)) return;
    const time = Date.parse(event.recordedAt);
    if (Number.isNaN(time) || time < this.anchor) return;
    const start = this.anchor + Math.floor((time - this.anchor) / this.width) * this.width;
    const counted = sure || !this.answered.has(start);
    const bucket = this.buckets.get(start) ?? emptyBucket(start, event.value);
    const late = bucket.late + (counted && latenessOf(event) > LATE_MS ? 1 : 0);
    this.buckets.set(start, { ...bucket, ...addToFigures(bucket, event.value, counted), last: event.value, late });
    this.changed = true;
  }
}

export function mergeSeries(asked: Asked<Series>, arrivals: Arrival[]): Bucket[] {
  return new LiveSeries(asked).plus(arrivals);
}

function emptyBucket(start: number, last: LiveEvent["value"]): Bucket {
  return { start: new Date(start).toISOString(), count: 0, min: null, avg: null, max: null, last, late: 0 };
}

interface Figures {
  count: number;
  min: number | null;
  avg: number | null;
  max: number | null;
}

/** Figures with one more value; words count without inventing figures. */
function addToFigures({ count, min, avg, max }: Figures, value: LiveEvent["value"], counted: boolean): Figures {
  const total = counted ? count + 1 : count;
  if (typeof value !== "number") return { count: total, min, avg, max };
  const mean = avg ?? value;
  return {
    count: total,
    min: Math.min(min ?? value, value),
    avg: counted ? mean + (value - mean) / total : mean,
    max: Math.max(max ?? value, value),
  };
}

/** Insights with the later arrivals counted in; a new type gets a card of its own. */
export class LiveInsights extends Overlay {
  private readonly answered: ReadonlyMap<string, Insight>;
  private readonly cards: Map<string, Insight>;
  private shown: Insight[];

  constructor(asked: Asked<{ insights: Insight[] }>) {
    super(asked.askedAt);
    this.shown = asked.answer.insights;
    this.answered = new Map(asked.answer.insights.map((insight) => [keyOfCard(insight), insight]));
    this.cards = new Map(this.answered);
  }

  with(log: ArrivalLog): Insight[] {
    if (this.follow(log)) this.shown = [...this.cards.values()];
    return this.shown;
  }

  plus(arrivals: Arrival[]): Insight[] {
    this.lay(arrivals);
    return [...this.cards.values()];
  }

  protected take(event: LiveEvent, sure: boolean): void {
    const key = keyOfCard(event);
    const then = this.answered.get(key);
    // What was recorded after the newest reading of the answer is not in it.
    const counted = sure || !then || Date.parse(event.recordedAt) > Date.parse(then.lastRecordedAt);
    this.cards.set(key, addToInsight(this.cards.get(key) ?? firstInsight(event), event, counted));
  }
}

export function mergeInsights(asked: Asked<{ insights: Insight[] }>, arrivals: Arrival[]): Insight[] {
  return new LiveInsights(asked).plus(arrivals);
}

function keyOfCard({ type, unit }: { type: string; unit: string | null }): string {
  return `${type}\n${unit ?? ""}`;
}

function firstInsight({ type, unit, value, recordedAt }: LiveEvent): Insight {
  return { type, unit, latest: value, min: null, avg: null, max: null, count: 0, lastRecordedAt: recordedAt };
}

function addToInsight(card: Insight, event: LiveEvent, counted: boolean): Insight {
  const newest = Date.parse(event.recordedAt) >= Date.parse(card.lastRecordedAt);
  return {
    ...card,
    ...addToFigures(card, event.value, counted),
    latest: newest ? event.value : card.latest,
    lastRecordedAt: newest ? event.recordedAt : card.lastRecordedAt,
  };
}

/** Newest first: by recordedAt, then event id, then type. */
function compareEvents(a: TelemetryEvent, b: TelemetryEvent): number {
  // Times of one format (UTC, six decimals) order like text, to the microsecond.
  return descending(a.recordedAt, b.recordedAt) || descending(a.eventId, b.eventId) || descending(a.type, b.type);
}

function descending(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

/**
 * The rows of the table: loaded pages and live arrivals, each reading once, newest first. While older pages are not loaded
 * yet, an arrival that belongs among them is left for them.
 */
export function mergeEvents(
  pages: TelemetryEvent[][],
  arrivals: Arrival[],
  window: { type: string | null; from: number; hasOlder: boolean },
): TelemetryEvent[] {
  const loaded = pages.flat();
  const oldest = loaded[loaded.length - 1];
  const rows = new Map(loaded.map((event) => [keyOf(event), event]));
  for (const { event } of arrivals) {
    if (window.type !== null && event.type !== window.type) continue;
    if (Date.parse(event.recordedAt) < window.from) continue;
    if (window.hasOlder && oldest && compareEvents(event, oldest) > 0) continue;
    if (!rows.has(keyOf(event))) rows.set(keyOf(event), event);
  }
  return [...rows.values()].sort(compareEvents);
}
