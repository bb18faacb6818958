import type { Asked } from "../../api/telemetry";
import type { Bucket, Insight, LiveEvent, Series, TelemetryEvent } from "../../api/types";

/**
 * Readings that arrived live, laid over what was asked for.
 *
 * An answer holds everything stored before it was asked for (a cached one is up to a second older), so only readings that
 * arrived later than that are added. The next answer replaces the overlay.
 */

export interface Arrival {
  /** Epoch ms at which the page saw the reading. */
  arrivedAt: number;
  event: LiveEvent;
}

/** Milliseconds by which the server may answer from its cache. */
const CACHE_MS = 1_000;
/** How many live readings are kept for laying over; the next answer brings the rest. */
export const OVERLAY_LIMIT = 2_000;

function keyOf(event: { eventId: string; type: string }): string {
  return `${event.eventId}\n${event.type}`;
}

/** Adds arrivals, each reading once, and forgets the oldest beyond the limit. */
export function addArrivals(known: Arrival[], events: LiveEvent[], arrivedAt: number): Arrival[] {
  const seen = new Set(known.map((arrival) => keyOf(arrival.event)));
  const added: Arrival[] = [];
  for (const event of events) {
    const key = keyOf(event);
    if (seen.has(key)) continue;
    seen.add(key);
    added.push({ arrivedAt, event });
  }
  return added.length === 0 ? known : [...known, ...added].slice(-OVERLAY_LIMIT);
}

function arrivedAfter(arrivals: Arrival[], askedAt: number): LiveEvent[] {
  return arrivals.filter((arrival) => arrival.arrivedAt >= askedAt - CACHE_MS).map((arrival) => arrival.event);
}

/** The buckets of a series with the later arrivals of its type and unit counted in. */
export function mergeSeries({ askedAt, answer }: Asked<Series>, arrivals: Arrival[]): Bucket[] {
  const fresh = arrivedAfter(arrivals, askedAt).filter(
    (event) => event.type === answer.type && (event.unit ?? null) === (answer.unit ?? null),
  );
  if (fresh.length === 0) return answer.buckets;
  const width = answer.bucketSeconds * 1000;
  const anchor = Date.parse(answer.from);
  const buckets = new Map(answer.buckets.map((bucket) => [Date.parse(bucket.start), bucket]));
  for (const event of fresh) {
    const time = Date.parse(event.recordedAt);
    if (Number.isNaN(time) || time < anchor) continue;
    const start = anchor + Math.floor((time - anchor) / width) * width;
    buckets.set(start, addToBucket(buckets.get(start), start, event.value));
  }
  return [...buckets.entries()].sort(([a], [b]) => a - b).map(([, bucket]) => bucket);
}

function addToBucket(bucket: Bucket | undefined, start: number, value: LiveEvent["value"]): Bucket {
  const number = typeof value === "number" ? value : null;
  if (!bucket)
    return { start: new Date(start).toISOString(), count: 1, min: number, avg: number, max: number, last: value };
  const count = bucket.count + 1;
  if (number === null) return { ...bucket, count, last: value };
  return {
    ...bucket,
    count,
    min: Math.min(bucket.min ?? number, number),
    max: Math.max(bucket.max ?? number, number),
    avg: bucket.avg === null ? number : bucket.avg + (number - bucket.avg) / count,
    last: value,
  };
}

/** Insights with the later arrivals counted in; a new type gets a card of its own. */
export function mergeInsights(asked: Asked<{ insights: Insight[] }>, arrivals: Arrival[]): Insight[] {
  const cards = new Map(asked.answer.insights.map((insight) => [`${insight.type}\n${insight.unit ?? ""}`, insight]));
  for (const event of arrivedAfter(arrivals, asked.askedAt)) {
    const key = `${event.type}\n${event.unit ?? ""}`;
    cards.set(key, addToInsight(cards.get(key) ?? firstInsight(event), event));
  }
  return [...cards.values()];
}

function firstInsight({ type, unit, value, recordedAt }: LiveEvent): Insight {
  return { type, unit, latest: value, min: null, avg: null, max: null, count: 0, lastRecordedAt: recordedAt };
}

function addToInsight(card: Insight, event: LiveEvent): Insight {
  const newest = Date.parse(event.recordedAt) >= Date.parse(card.lastRecordedAt);
  const count = card.count + 1;
  const value = typeof event.value === "number" ? event.value : null;
  return {
    ...card,
    count,
    latest: newest ? event.value : card.latest,
    lastRecordedAt: newest ? event.recordedAt : card.lastRecordedAt,
    min: value === null ? card.min : Math.min(card.min ?? value, value),
    max: value === null ? card.max : Math.max(card.max ?? value, value),
    avg: value === null ? card.avg : (card.avg ?? value) + (value - (card.avg ?? value)) / count,
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
