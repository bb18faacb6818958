import { edgesOf, type Span } from "../../api/span";

/** The stretch of time a device page shows, as it stands in the page's address. */

export const presets = [
  { name: "1h", seconds: 3_600 },
  { name: "6h", seconds: 21_600 },
  { name: "24h", seconds: 86_400 },
  { name: "7d", seconds: 604_800 },
  { name: "30d", seconds: 2_592_000 },
] as const;

export type PresetName = (typeof presets)[number]["name"];

/** Reads `?range=24h` or `?from=…&to=…`; anything else is the range `fallback`. */
export function spanOf(search: URLSearchParams, fallback: PresetName = "6h"): Span {
  const from = Date.parse(search.get("from") ?? "");
  const to = Date.parse(search.get("to") ?? "");
  if (from < to) return { kind: "fixed", from, to };
  const preset = presets.find(({ name }) => name === search.get("range"));
  return {
    kind: "rolling",
    seconds: (preset ?? presets.find(({ name }) => name === fallback) ?? presets[0]).seconds,
  };
}

/** The preset a span is, or `custom`. */
export function nameOf(span: Span): PresetName | "custom" {
  if (span.kind === "fixed") return "custom";
  return presets.find(({ seconds }) => seconds === span.seconds)?.name ?? "custom";
}

/** The address parameters of a span; others are kept. */
export function withSpan(search: URLSearchParams, span: Span): URLSearchParams {
  const next = new URLSearchParams(search);
  for (const name of ["range", "from", "to"]) next.delete(name);
  const name = nameOf(span);
  if (name !== "custom") {
    next.set("range", name);
  } else {
    const { from, to } = edgesOf(span, Date.now());
    next.set("from", new Date(from).toISOString());
    next.set("to", new Date(to).toISOString());
  }
  return next;
}

/** A day around a moment (epoch ms), ending a little after it. */
export function dayUntil(moment: number): Span {
  return { kind: "fixed", from: moment - 86_400_000 + 60_000, to: moment + 60_000 };
}
