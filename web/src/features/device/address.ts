import { type Comparison, comparisons } from "./compare";

/** What a device page shows besides the range (range.ts), as it stands in the page's address. */
export interface Shown {
  /** Keys of the measurements on charts, in order; null for the page's own choice. */
  types: string[] | null;
  /** Epoch ms: what was known then; null for now. */
  asOf: number | null;
  compare: Comparison | null;
  live: boolean;
  /** Type of the events in the table; empty for all. */
  eventType: string;
}

export function shownOf(search: URLSearchParams): Shown {
  const types = search.getAll("type");
  const asOf = Date.parse(search.get("asOf") ?? "");
  const compare = comparisons.find((name) => name === search.get("compare"));
  return {
    types: types.length > 0 ? types : null,
    asOf: Number.isNaN(asOf) ? null : asOf,
    compare: compare ?? null,
    live: search.get("live") !== "off",
    eventType: search.get("events") ?? "",
  };
}

/** The address with a part of it changed; what is as usual is not written. */
export function withShown(search: URLSearchParams, change: Partial<Shown>): URLSearchParams {
  const next = new URLSearchParams(search);
  const set = (name: string, value: string | null) => (value ? next.set(name, value) : next.delete(name));
  if (change.types !== undefined) {
    next.delete("type");
    for (const key of change.types ?? []) next.append("type", key);
  }
  if (change.asOf !== undefined) set("asOf", change.asOf === null ? null : new Date(change.asOf).toISOString());
  if (change.compare !== undefined) set("compare", change.compare);
  if (change.live !== undefined) set("live", change.live ? null : "off");
  if (change.eventType !== undefined) set("events", change.eventType);
  return next;
}

interface Named {
  type: string;
  unit: string | null;
}

/** How a measurement is named in the address: its type, and its unit where there is one. */
export function keyOfType({ type, unit }: Named): string {
  return JSON.stringify(unit === null ? [type] : [type, unit]);
}

/** How many charts a page shows of its own choice, and at all. */
const USUAL_CHARTS = 4;
export const MOST_CHARTS = 8;

/** The measurements on charts: those that were chosen and exist; else the first ones, numbers before words. */
export function chartsOf<Type extends Named & { kind: string }>(known: Type[], chosen: string[] | null): Type[] {
  const byKey = new Map(known.map((type) => [keyOfType(type), type]));
  const wanted = (chosen ?? []).flatMap((key) => byKey.get(key) ?? byKey.get(older(key)) ?? []);
  if (wanted.length > 0) return [...new Set(wanted)].slice(0, MOST_CHARTS);
  const numbers = known.filter((type) => type.kind === "number");
  return (numbers.length > 0 ? numbers : known).slice(0, numbers.length > 0 ? USUAL_CHARTS : 1);
}

/** Addresses may name a type without more, or a unit that is none by null. */
function older(key: string): string {
  return key.startsWith("[") ? key.replace(/,null\]$/, "]") : JSON.stringify([key]);
}

/** The chosen keys with one put in or taken out; the last one stays. */
export function toggled(shown: string[], key: string): string[] {
  if (!shown.includes(key)) return shown.length < MOST_CHARTS ? [...shown, key] : shown;
  return shown.length > 1 ? shown.filter((each) => each !== key) : shown;
}
