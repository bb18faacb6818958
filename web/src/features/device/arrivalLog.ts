import type { LiveEvent } from "../../api/types";

export interface Arrival {
  /** Epoch ms at which the page saw the reading. */
  arrivedAt: number;
  event: LiveEvent;
}

/** Milliseconds that arrivals are kept: an answer to every question comes more often. */
const KEPT_MS = 30_000;
/** How many arrivals are kept at most, whatever their rate: the next answer brings the rest. */
export const KEPT_ARRIVALS = 30_000;
/** How many arrivals are kept at least, whatever their age. */
export const LEAST_ARRIVALS = 500;

/**
 * The latest live readings of one device, each once, in the order of their arrival. They are counted through, so that whoever
 * follows takes only what is new to them. It is bounded in time and number: a page left open does not grow.
 */
export class ArrivalLog {
  private entries: Arrival[] = [];
  private readonly seen = new Set<string>();
  private dropped = 0;

  /** Number of the next arrival. */
  get end(): number {
    return this.dropped + this.entries.length;
  }

  /** Number of the oldest arrival that is kept. */
  get start(): number {
    return this.dropped;
  }

  get newest(): Arrival | undefined {
    return this.entries[this.entries.length - 1];
  }

  /** Adds what arrived; false when nothing of it was new. */
  add(events: LiveEvent[], arrivedAt: number): boolean {
    const before = this.end;
    for (const event of events) {
      const key = keyOf(event);
      if (this.seen.has(key)) continue;
      this.seen.add(key);
      this.entries.push({ arrivedAt, event });
    }
    if (this.end === before) return false;
    this.forget(arrivedAt - KEPT_MS);
    return true;
  }

  /** The kept arrivals with the numbers [from, to), oldest first. */
  between(from: number, to: number = this.end): Arrival[] {
    return this.entries.slice(Math.max(0, from - this.dropped), Math.max(0, to - this.dropped));
  }

  private forget(before: number): void {
    let old = Math.max(0, this.entries.length - KEPT_ARRIVALS);
    const most = this.entries.length - LEAST_ARRIVALS;
    while (old < most && (this.entries[old] as Arrival).arrivedAt < before) old += 1;
    if (old === 0) return;
    for (const { event } of this.entries.splice(0, old)) this.seen.delete(keyOf(event));
    this.dropped += old;
  }
}

/** Names a reading: an event has one of each type. */
export function keyOf(event: { eventId: string; type: string }): string {
  return `${event.eventId}\n${event.type}`;
}
