import type { BulkReplayOutcome, ReplayOutcome } from "../../api/types";
import { formatCount } from "../../ui/format";

/** What dead letters mean, by reason. */
const meanings: Record<string, string> = {
  clock: "Recorded more than 24 hours ahead or before the year 2000",
  conflict: "The same event id was stored before with another meaning",
  id_expired: "The id is older than the store remembers",
};

export function meaningOf(reason: string): string | null {
  return meanings[reason] ?? null;
}

export function outcomeText({ outcome, reason }: ReplayOutcome): string {
  if (outcome === "stored") return "Replayed: the event is stored.";
  if (outcome === "duplicate") return "Replayed: the event was stored already, so it counts as a duplicate.";
  return `Replayed: still dead${reason ? ` (${reason})` : ""}. Mend the event, then replay it again.`;
}

export function bulkText({ replayed }: BulkReplayOutcome): string {
  const { stored = 0, duplicate = 0, dead = 0 } = replayed;
  return `Replayed: ${formatCount(stored)} stored, ${formatCount(duplicate)} duplicate, ${formatCount(dead)} still dead.`;
}

export type Parsed = { ok: true; body: Record<string, unknown> } | { ok: false; fault: string };

/** An event as it was edited: a JSON object, or what is wrong with it. */
export function parseBody(text: string): Parsed {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    return { ok: false, fault: `This is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { ok: false, fault: "An event is a JSON object" };
  }
  return { ok: true, body: body as Record<string, unknown> };
}
