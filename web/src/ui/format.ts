/**
 * How numbers, times and durations read on the page: in the language and the time zone that were chosen, 24 hours,
 * unambiguous dates.
 */

import { text } from "../texts";
import { locale, shownTimeZone } from "../texts/locale";

/** Formats by what they depend on: making one costs fifty times what using it does. */
const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale().language} ${JSON.stringify(options)}`;
  let format = formats.get(key) as Intl.NumberFormat | undefined;
  if (!format) {
    format = new Intl.NumberFormat(locale().language, options);
    formats.set(key, format);
  }
  return format;
}

function dateFormat(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone) as Intl.DateTimeFormat | undefined;
  if (!format) {
    // The one locale whose dates are those of ISO 8601.
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
    formats.set(timeZone, format);
  }
  return format;
}

export function formatCount(count: number): string {
  return numberFormat({ maximumFractionDigits: 0 }).format(count);
}

/** Up to five significant digits; very large and very small magnitudes in scientific notation. */
export function formatNumber(value: number): string {
  const magnitude = Math.abs(value);
  if (value === 0) return "0";
  if (magnitude >= 1e9 || magnitude < 1e-4) return value.toExponential(3);
  if (magnitude >= 10_000) return formatCount(value);
  return numberFormat({ maximumSignificantDigits: 5 }).format(value);
}

export function formatReading(value: number | string | boolean | null | undefined, unit?: string | null): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return text(value ? "value.true" : "value.false");
  if (typeof value === "string") return value;
  return unit ? `${formatNumber(value)} ${unit}` : formatNumber(value);
}

/** `2026-11-22 14:03:05` in the chosen time zone. */
export function formatTime(time: string | number, timeZone: string = shownTimeZone()): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "–" : dateFormat(timeZone).format(date);
}

/** `14:03:05` on the day of `now`, else with the date in front. */
export function formatTimeShort(time: string | number, now: number): string {
  const full = formatTime(time);
  return full.startsWith(formatTime(now).slice(0, 10)) ? full.slice(11) : full;
}

/** A duration in milliseconds with its largest unit: `40 ms`, `1.5 s`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 0.9995) return text("unit.milliseconds", { value: Math.round(seconds * 1000) });
  if (seconds < 10) {
    const value = numberFormat({ minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(seconds);
    return text("unit.seconds", { value });
  }
  if (seconds < 59.5) return text("unit.seconds", { value: Math.round(seconds) });
  if (seconds < 3_570) return text("unit.minutes", { value: Math.round(seconds / 60) });
  if (seconds < 84_600) return text("unit.hours", { value: Math.round(seconds / 3_600) });
  return text("unit.days", { value: formatCount(seconds / 86_400) });
}

/** `just now`, `12 s ago`, `3 min ago`; clocks a little ahead also read `just now`. */
export function formatRelative(time: string | null, now: number): string {
  if (time === null) return text("time.never");
  const age = now - Date.parse(time);
  if (Number.isNaN(age)) return "–";
  if (age < -5_000) return text("time.in", { duration: formatDuration(age) });
  if (age < 2_000) return text("time.justNow");
  const whole = age < 10_000 ? text("unit.seconds", { value: Math.round(age / 1000) }) : formatDuration(age);
  return text("time.ago", { duration: whole });
}

/** How long after its recording an event was received, in milliseconds; negative when the device's clock is ahead. */
export function latenessOf(event: { recordedAt: string; receivedAt: string }): number {
  return Date.parse(event.receivedAt) - Date.parse(event.recordedAt);
}

export function formatLateness(milliseconds: number): string {
  if (Number.isNaN(milliseconds)) return "–";
  if (milliseconds >= -50) return formatDuration(Math.max(0, milliseconds));
  return text("time.ahead", { duration: formatDuration(milliseconds) });
}

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : numberFormat({ minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value)} ${byteUnits[unit]}`;
}

/** `datetime-local` input text of a moment (epoch ms) in the chosen time zone, to the minute. */
export function toInputTime(milliseconds: number, timeZone: string = shownTimeZone()): string {
  return formatTime(milliseconds, timeZone).slice(0, 16).replace(" ", "T");
}

/**
 * Epoch ms of a `datetime-local` input's text, read in the chosen time zone; null when it is not a time. A time that the
 * clocks skip is read as if they had not been put forward yet; of one that they show twice, it is the first.
 */
export function fromInputTime(input: string, timeZone: string = shownTimeZone()): number | null {
  const wall = Date.parse(`${input}Z`);
  if (Number.isNaN(wall)) return null;
  const offsetAt = (moment: number) => Date.parse(`${formatTime(moment, timeZone).replace(" ", "T")}Z`) - moment;
  const offsets = [wall - 86_400_000, wall + 86_400_000].map(offsetAt);
  const moments = offsets.map((offset) => wall - offset).sort((one, other) => one - other);
  return moments.find((moment) => moment + offsetAt(moment) === wall) ?? wall - (offsets[0] as number);
}

/** A number with so many places behind the point. */
export function formatFixed(value: number, places: number): string {
  return numberFormat({ minimumFractionDigits: places, maximumFractionDigits: places }).format(value);
}
