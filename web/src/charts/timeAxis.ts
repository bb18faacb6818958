import { shownTimeZone } from "../texts/locale";
import { momentOf, offsetAt, wallOf } from "./zone";

/**
 * Ticks and labels of a time axis in a time zone: 24 hours; the date where the day changes, the year where the year changes,
 * the offset where clocks were put forward or back. Epoch seconds throughout.
 */

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;
const MONTH = 30 * DAY;
const YEAR = 365 * DAY;

/** Distances of ticks in seconds; from a month on they are nominal, and the ticks stand on the first of months. */
const STEPS = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14].map((days) => days * DAY),
  ...[1, 2, 3, 6].map((months) => months * MONTH),
  ...[1, 2, 5, 10, 20, 50, 100].map((years) => years * YEAR),
];

export interface Ticks {
  splits: number[];
  /** Distance of the ticks in seconds, nominal from a month on. */
  step: number;
}

/** Ticks within [from, to], at most about `most`, on round times of the zone. */
export function timeTicks(from: number, to: number, most: number, zone: string = shownTimeZone()): Ticks {
  const wanted = (to - from) / Math.max(1, most);
  const step = STEPS.find((seconds) => seconds >= wanted) ?? 200 * YEAR;
  if (step >= MONTH) return { step, splits: byMonths(from, to, step, zone) };
  return { step, splits: step >= DAY ? byDays(from, to, step, zone) : bySeconds(from, to, step, zone) };
}

/** A day of 23 or 25 hours has as many ticks of an hour; longer steps stay on their wall times. */
function bySeconds(from: number, to: number, step: number, zone: string): number[] {
  const splits: number[] = [];
  const over = (moment: number) => remainder(moment + offsetAt(moment * 1000, zone) / 1000, step);
  let at = Math.ceil(from);
  if (over(at) !== 0) at = next(at - over(at), step, over);
  while (at <= to) {
    if (at >= from) splits.push(at);
    at = next(at, step, over);
  }
  return splits;
}

/** The next moment after `at` at which the wall clock is on a step. */
function next(at: number, step: number, over: (moment: number) => number): number {
  const straight = at + step;
  const off = over(straight);
  if (off === 0) return straight;
  const candidates = [straight - off, straight + step - off].filter((moment) => moment > at && over(moment) === 0);
  return candidates[0] ?? straight + step - off;
}

/** Midnights, every so many days counted from the first of 1970; a Monday for weeks. */
function byDays(from: number, to: number, step: number, zone: string): number[] {
  const days = step / DAY;
  // 1970-01-05 was a Monday.
  const anchor = days % 7 === 0 ? 4 : 0;
  let day = Math.floor((wallOf(from * 1000, zone) / 1000 / DAY - anchor) / days) * days + anchor;
  const splits: number[] = [];
  for (;;) {
    const at = momentOf(day * DAY * 1000, zone) / 1000;
    if (at > to) return splits;
    if (at >= from) splits.push(at);
    day += days;
  }
}

function byMonths(from: number, to: number, step: number, zone: string): number[] {
  const months = step >= YEAR ? 12 * Math.round(step / YEAR) : Math.round(step / MONTH);
  const first = new Date(wallOf(from * 1000, zone));
  let month = Math.floor((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months;
  const splits: number[] = [];
  for (;;) {
    const at = momentOf(Date.UTC(Math.floor(month / 12), month % 12, 1), zone) / 1000;
    if (at > to) return splits;
    if (at >= from) splits.push(at);
    month += months;
  }
}

function remainder(value: number, by: number): number {
  return ((value % by) + by) % by;
}

function offsetName(offset: number): string {
  const minutes = Math.round(Math.abs(offset) / 60_000);
  const rest = minutes % 60 === 0 ? "" : `:${String(minutes % 60).padStart(2, "0")}`;
  return `UTC${offset < 0 ? "−" : "+"}${Math.floor(minutes / 60)}${rest}`;
}

/** One label per split; `step` is the distance of the splits. */
export function timeLabels(splits: number[], step: number, zone: string = shownTimeZone()): string[] {
  let previousDay = "";
  let previousYear = "";
  let previousOffset: number | null = null;
  return splits.map((split) => {
    const offset = offsetAt(split * 1000, zone);
    const wall = new Date(split * 1000 + offset).toISOString();
    const today = wall.slice(0, 10);
    const year = wall.slice(0, 4);
    const newDay = today !== previousDay;
    const newYear = year !== previousYear;
    const shifted = previousOffset !== null && offset !== previousOffset;
    previousDay = today;
    previousYear = year;
    previousOffset = offset;
    if (step >= YEAR) return year;
    if (step >= MONTH) return newYear ? `${wall.slice(5, 7)}\n${year}` : wall.slice(5, 7);
    if (step >= DAY) return newYear ? `${today.slice(5)}\n${year}` : today.slice(5);
    const clock = wall.slice(11, step < MINUTE ? 19 : 16);
    // A clock that was put back shows an hour twice: which is which has to be said.
    if (shifted) return `${clock}\n${offsetName(offset)}`;
    return newDay ? `${clock}\n${today.slice(5)}` : clock;
  });
}
