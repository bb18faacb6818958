import type { Bucket } from "../../api/types";

/** The buckets of a chart as CSV (RFC 4180), times in UTC: what is drawn, not every reading. */
export function bucketsCsv(series: { type: string; unit: string | null; bucketSeconds: number }, buckets: Bucket[]) {
  const rows = buckets.map((bucket) => {
    const start = Date.parse(bucket.start);
    const end = new Date(start + series.bucketSeconds * 1000).toISOString();
    const { count, min, avg, max, last, late } = bucket;
    return [new Date(start).toISOString(), end, series.type, series.unit, count, min, avg, max, last, late];
  });
  const head = ["start", "end", "type", "unit", "count", "min", "avg", "max", "last", "late"];
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** A text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers. */
function cell(value: string | number | boolean | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** A name of a file that every system takes. */
export function fileName(...parts: string[]): string {
  return parts.map((part) => part.replace(/[^A-Za-z0-9._-]+/g, "_")).join("-");
}
