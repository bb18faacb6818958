import type { Stretch } from "../../api/books";
import type { BooksStep, BooksStepCounts } from "../../api/types";
import { fromInputTime, toInputTime } from "../../ui/format";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Stretches by name that reach until now. */
export const stretches = { "1h": HOUR, "6h": 6 * HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY };
export type StretchName = keyof typeof stretches;
export const LONGEST_DAYS = 700;

export function isStretchName(name: string | null): name is StretchName {
  return name !== null && name in stretches;
}

/** How a stretch is asked for and drawn: bars of `minutes` of the wall clock, or of whole days. */
interface Plan {
  step: BooksStep;
  minutes: number;
}

function planFor(length: number): Plan {
  if (length <= 2 * HOUR) return { step: "minute", minutes: 1 };
  if (length <= 12 * HOUR) return { step: "minute", minutes: 10 };
  if (length <= 36 * HOUR) return { step: "hour", minutes: 60 };
  if (length <= 9 * DAY) return { step: "hour", minutes: 360 };
  if (length <= 32 * DAY) return { step: "hour", minutes: 1_440 };
  return { step: "day", minutes: 1_440 };
}

/** The beginning of the bar in which a moment lies: on round times of the zone's wall clock. */
function beginningOf(moment: number, minutes: number, timeZone?: string): number {
  const wall = toInputTime(moment, timeZone);
  const [hour, minute] = [Number(wall.slice(11, 13)), Number(wall.slice(14, 16))];
  const of = Math.floor((hour * 60 + minute) / minutes) * minutes;
  const round = `${wall.slice(0, 11)}${two(Math.floor(of / 60))}:${two(of % 60)}`;
  const start = fromInputTime(round, timeZone) ?? moment;
  // An hour that the clocks show twice: what is in the second one begins there.
  return minutes <= 60 ? moment - ((moment - start) % (minutes * MINUTE)) : start;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

export interface Bars {
  /** What to ask for. */
  stretch: Stretch;
  step: BooksStep;
  /** Where the bars begin, and the last one ends, in epoch ms. */
  edges: number[];
}

/** The bars that show a stretch, in about 24 to 100 pieces. */
export function barsOf({ from, to }: Stretch, timeZone?: string): Bars {
  const { step, minutes } = planFor(to - from);
  const edges = [beginningOf(from, minutes, timeZone)];
  for (;;) {
    const last = edges.at(-1) as number;
    if (last >= to) break;
    if (step === "day") edges.push(last + DAY);
    else if (minutes <= 60) edges.push(last + minutes * MINUTE);
    // A third more than a bar, and back to its beginning: days of 23 and 25 hours are whole.
    else edges.push(beginningOf(last + (minutes * MINUTE * 4) / 3, minutes, timeZone));
  }
  return { stretch: { from: edges[0] as number, to: edges.at(-1) as number }, step, edges };
}

export interface Counts {
  accepted: number;
  stored: number;
  duplicate: number;
  dead: number;
  rejected: number;
}

/** Counts by bar. */
export function countsOf(steps: BooksStepCounts[], edges: number[]): Counts[] {
  const bars = edges.slice(1).map((): Counts => ({ accepted: 0, stored: 0, duplicate: 0, dead: 0, rejected: 0 }));
  let bar = 0;
  for (const step of steps) {
    const start = Date.parse(step.start);
    while (bar < bars.length - 1 && start >= (edges[bar + 1] as number)) bar += 1;
    const counts = bars[bar];
    if (!counts) break;
    counts.accepted += step.accepted;
    counts.stored += step.stored;
    counts.duplicate += step.duplicate;
    counts.dead += sum(step.dead);
    counts.rejected += sum(step.rejected);
  }
  return bars;
}

/** Counts by reason over all steps. */
export function byReason(steps: BooksStepCounts[], entry: "dead" | "rejected"): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const step of steps) {
    for (const [reason, count] of Object.entries(step[entry])) counts[reason] = (counts[reason] ?? 0) + count;
  }
  return counts;
}

export function totalOf(bars: Counts[]): Counts {
  const whole: Counts = { accepted: 0, stored: 0, duplicate: 0, dead: 0, rejected: 0 };
  for (const bar of bars) {
    for (const entry of Object.keys(whole) as (keyof Counts)[]) whole[entry] += bar[entry];
  }
  return whole;
}

/** A part of a whole in percent; null where there is no whole. */
export function percent(part: number, whole: number): number | null {
  return whole > 0 ? (100 * part) / whole : null;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
