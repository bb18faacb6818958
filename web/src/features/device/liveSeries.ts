import type { Asked } from "../../api/telemetry";
import type { Bucket, Insight, LiveEvent, Series, TelemetryEvent } from "../../api/types";

/**
 * Readings that arrived live, laid over what was asked for; the next answer replaces the overlay.
 *
 * An answer holds what was stored before it was asked for. What arrived later is counted in. What arrived about that time
 * may be in the answer already: unless it cannot be, it only widens the figures (latest, lowest, highest), which it may do
 * twice, and is not counted.
 */

export interface Arrival {
  /** Epoch ms at which the page saw the reading. */
  arrivedAt: number;
  event: LiveEvent;
}

/** Milliseconds by which an answer may be older than its question. */
const OLDER_MS = 1_000;
/** Milliseconds from storing a reading to its arrival: one that was stored before the question may arrive after it. */
const DELIVERY_MS = 250;
/** How many live readings are kept for laying over; the next answer brings the rest. */
export const OVERLAY_LIMIT = 2_000;

function keyOf(event: { eventId: string; type: string }): string {
  return `${event.eventId}\n${event.type}`;
}

/** Adds arrivals, each reading once, and forgets the oldest beyond the limit. */
export function addArrivals(known: Arrival[], more: Arrival[]): Arrival[] {
  const seen = new Set(known.map((arrival) => keyOf(arrival.event)));
  const added: Arrival[] = [];
  for (const arrival of more) {
    const key = keyOf(arrival.event);
    if (seen.has(key)) continue;
    seen.add(key);
    added.push(arrival);
  }
  return added.length === 0 ? known : [...known, ...added].slice(-OVERLAY_LIMIT);
}

/** The arrivals that an answer does not surely hold; `sure` when it surely does not. */
function arrivedAfter(arrivals: Arrival[], askedAt: number): { event: LiveEvent; sure: boolean }[] {
  return arrivals
    .filter((arrival) => arrival.arrivedAt >= askedAt - OLDER_MS)
    .map(({ arrivedAt, event }) => ({ event, sure: arrivedAt >= askedAt + DELIVERY_MS }));
}

/** The buckets of a series with the later arrivals of its type and unit counted in. */
export function mergeSeries({ askedAt, answer }: Asked<Series>, arrivals: Arrival[]): Bucket[] {
  const fresh = arrivedAfter(arrivals, askedAt).filter(
    ({ event }) => event.type === answer.type && (event.unit ?? null) === (answer.unit ?? null),
  );
  if (fresh.length === 0) return answer.buckets;
  const width = answer.bucketSeconds * 1000;
  const anchor = Date.parse(answer.from);
  const answered = new Map(answer.buckets.map((bucket) => [Date.parse(bucket.start), bucket]));
  const buckets = new Map(answered);
  for (const { event, sure } of fresh) {
    const time = Date.parse(event.recordedAt);
    if (Number.isNaN(time) || time < anchor) continue;
    const start = anchor + Math.floor((time - anchor) / width) * width;
    const counted = sure || !answered.has(start);
    buckets.set(start, addToBucket(buckets.get(start) ?? emptyBucket(start, event.value), event.value, counted));
  }
  return [...buckets.entries()].sort(([a], [b]) => a - b).map(([, bucket]) => bucket);
}

function emptyBucket(start: number, last: LiveEvent["value"]): Bucket {
  return { start: new Date(start).toISOString(), count: 0, min: null, avg: null, max: null, last };
}

function addToBucket(bucket: Bucket, value: LiveEvent["value"], counted: boolean): Bucket {
  return { ...bucket, ...addToFigures(bucket, value, counted), last: value };
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
export function mergeInsights(asked: Asked<{ insights: Insight[] }>, arrivals: Arrival[]): Insight[] {
  const keyOfCard = ({ type, unit }: { type: string; unit: string | null }) => `${type}\n${unit ?? ""}`;
  const answered = new Map(asked.answer.insights.map((insight) => [keyOfCard(insight), insight]));
  const cards = new Map(answered);
  for (const { event, sure } of arrivedAfter(arrivals, asked.askedAt)) {
    const key = keyOfCard(event);
    const then = answered.get(key);
    // What was recorded after the newest reading of the answer is not in it.
    const counted = sure || !then || Date.parse(event.recordedAt) > Date.parse(then.lastRecordedAt);
    cards.set(key, addToInsight(cards.get(key) ?? firstInsight(event), event, counted));
  }
  return [...cards.values()];
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
export function compareEvents(a: TelemetryEvent, b: TelemetryEvent): number {
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
