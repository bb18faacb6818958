/** Names of time zones that this browser knows, UTC first. */
export function timeZones(): string[] {
  const known = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return [...new Set(["UTC", ...known])];
}

const MOST = 8;

/** Zones with every word of `typed` in their name: those that begin with it first. */
export function matchingZones(zones: readonly string[], typed: string, most = MOST): string[] {
  const words = typed
    .toLowerCase()
    .split(/[\s/_]+/)
    .filter(Boolean);
  if (words.length === 0) return [];
  const rank = (zone: string) =>
    zone
      .toLowerCase()
      .split(/[/_]/)
      .some((part) => part.startsWith(words[0] ?? ""))
      ? 0
      : 1;
  return zones
    .filter((zone) => words.every((word) => zone.toLowerCase().includes(word)))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .slice(0, most);
}
