import type { KeyView } from "../../api/types";

export type KeyState = "live" | "ending" | "expired" | "revoked";

/** Whether a key is good at `now` (epoch ms); `ending` when it is good and ends soon, or has a successor. */
export function keyState(key: KeyView, now: number): KeyState {
  if (key.revokedAt) return "revoked";
  if (key.expiresAt && Date.parse(key.expiresAt) <= now) return "expired";
  return key.expiresSoon || key.replacedBy ? "ending" : "live";
}

export function isGood(key: KeyView, now: number): boolean {
  const state = keyState(key, now);
  return state === "live" || state === "ending";
}

/** How many good keys a device may have at once. */
export const MOST_KEYS = 2;

/** How long an old key may go on beside the new one, in seconds. */
export const overlaps = { hour: 3_600, day: 86_400, week: 604_800, month: 2_592_000, none: 0 } as const;
export type Overlap = keyof typeof overlaps;
