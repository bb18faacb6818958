/** For how long keys live, and how limits are typed. */

import type { Key, TenantLimits } from "../../api/types";

const DAY_S = 86_400;

/** Lives of new keys in days; 0 = without end. */
export const lives = [30, 90, 365, 0] as const;
/** How long an old key goes on beside the new one, in seconds. */
export const overlaps = [0, 3_600, DAY_S, 7 * DAY_S, 30 * DAY_S] as const;

export function endOf(days: number, now: number): string | null {
  return days > 0 ? new Date(now + days * DAY_S * 1000).toISOString() : null;
}

export type KeyState = "live" | "soon" | "ended" | "revoked";

export function stateOf(key: Pick<Key, "revokedAt" | "expiresAt" | "expiresSoon">, now: number): KeyState {
  if (key.revokedAt !== null) return "revoked";
  if (key.expiresAt !== null && Date.parse(key.expiresAt) <= now) return "ended";
  return key.expiresSoon ? "soon" : "live";
}

export const limitNames = ["keyPerSecond", "tenantPerSecond", "keyEventsPerSecond", "tenantEventsPerSecond"] as const;
export type LimitName = (typeof limitNames)[number];
export type LimitTexts = Record<LimitName, string>;

const MOST = 1_000_000_000;

/** Limits as they are typed: empty for the installation's, 0 for none. */
export function limitTexts(limits: TenantLimits | null): LimitTexts {
  return Object.fromEntries(limitNames.map((name) => [name, limits?.[name]?.toString() ?? ""])) as LimitTexts;
}

/** What was typed, or the names of the fields that hold no number. */
export function readLimits(
  texts: LimitTexts,
): { ok: true; limits: Required<TenantLimits> } | { ok: false; faults: LimitName[] } {
  const faults: LimitName[] = [];
  const limits = {} as Required<TenantLimits>;
  for (const name of limitNames) {
    const typed = texts[name].replace(/[\s'’]/g, "");
    if (typed === "") limits[name] = null;
    else if (/^\d+$/.test(typed) && Number(typed) <= MOST) limits[name] = Number(typed);
    else faults.push(name);
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, limits };
}
