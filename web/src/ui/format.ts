/** How numbers, times and durations read on the page. Local time, 24 hours, unambiguous dates. */

const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function formatCount(count: number): string {
  return integer.format(count);
}

/** Up to five significant digits; very large and very small magnitudes in scientific notation. */
export function formatNumber(value: number): string {
  const magnitude = Math.abs(value);
  if (value === 0) return "0";
  if (magnitude >= 1e9 || magnitude < 1e-4) return value.toExponential(3);
  if (magnitude >= 10_000) return integer.format(value);
  return new Intl.NumberFormat("en-US", { maximumSignificantDigits: 5 }).format(value);
}

export function formatReading(value: number | string | boolean | null | undefined, unit?: string | null): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return value;
  return unit ? `${formatNumber(value)} ${unit}` : formatNumber(value);
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** `2026-11-22 14:03:05` in local time. */
export function formatTime(time: string | number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  return `${formatDate(date)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function formatDate(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `14:03:05` on the day of `now`, else with the date in front. */
export function formatTimeShort(time: string | number, now: number): string {
  const full = formatTime(time);
  return full.startsWith(formatDate(new Date(now))) ? full.slice(11) : full;
}

/** A duration in milliseconds with its largest unit: `40 ms`, `1.5 s`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  if (seconds < 3_570) return `${Math.round(seconds / 60)} min`;
  if (seconds < 84_600) return `${Math.round(seconds / 3_600)} h`;
  return `${formatCount(seconds / 86_400)} d`;
}

/** `just now`, `12 s ago`, `3 min ago`; clocks a little ahead also read `just now`. */
export function formatRelative(time: string | null, now: number): string {
  if (time === null) return "never";
  const age = now - Date.parse(time);
  if (Number.isNaN(age)) return "–";
  if (age < -5_000) return `in ${formatDuration(age)}`;
  if (age < 2_000) return "just now";
  return `${age < 10_000 ? `${Math.round(age / 1000)} s` : formatDuration(age)} ago`;
}

/** How long after its recording an event was received, in milliseconds; negative when the device's clock is ahead. */
export function latenessOf(event: { recordedAt: string; receivedAt: string }): number {
  return Date.parse(event.receivedAt) - Date.parse(event.recordedAt);
}

export function formatLateness(milliseconds: number): string {
  if (Number.isNaN(milliseconds)) return "–";
  return milliseconds < -50 ? `${formatDuration(milliseconds)} ahead` : formatDuration(Math.max(0, milliseconds));
}

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${byteUnits[unit]}`;
}

/** `datetime-local` input text of a moment (epoch ms), to the minute. */
export function toInputTime(milliseconds: number): string {
  return formatTime(milliseconds).slice(0, 16).replace(" ", "T");
}

/** Epoch ms of a `datetime-local` input's text, read in local time; null when it is not a time. */
export function fromInputTime(text: string): number | null {
  const value = Date.parse(text);
  return Number.isNaN(value) ? null : value;
}
