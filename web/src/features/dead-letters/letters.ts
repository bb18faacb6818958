import type { ReplayOutcome } from "../../api/types";
import { text } from "../../texts";
import { formatCount } from "../../ui/format";
import type { Tally } from "./bulk";
import { jsonFault } from "./jsonFault";
import type { BulkKind } from "./useBulk";

/** Why an accepted event could not be stored, as docs/reference has it. */
export const reasons = ["clock", "conflict", "series_limit", "id_expired", "poison"] as const;

/** What a reason means; null for one that this page does not know. */
export function meaningOf(reason: string): string | null {
  const known = reasons.find((each) => each === reason);
  return known ? text(`deadLetters:meaning.${known}`) : null;
}

export function outcomeText({ outcome, reason }: ReplayOutcome): string {
  if (outcome === "stored") return text("deadLetters:outcome.stored");
  if (outcome === "duplicate") return text("deadLetters:outcome.duplicate");
  return reason ? text("deadLetters:outcome.deadBy", { reason }) : text("deadLetters:outcome.dead");
}

/** What bulk work came to; zeros are left out. */
export function tallyText(kind: BulkKind, tally: Tally): string {
  const entries =
    kind === "replay" ? (["stored", "duplicate", "dead", "gone"] as const) : (["discarded", "gone"] as const);
  return entries
    .filter((entry) => tally[entry] > 0)
    .map((entry) => text(`deadLetters:tally.${entry}`, { number: formatCount(tally[entry]) }))
    .join(", ");
}

export type Parsed =
  | { ok: true; body: Record<string, unknown> }
  | { ok: false; fault: string; position: number | null };

/** An event as it was edited: a JSON object, or what is wrong with it and where (UTF-16 units from the start). */
export function parseBody(typed: string): Parsed {
  let body: unknown;
  try {
    body = JSON.parse(typed);
  } catch (error) {
    const position = jsonFault(typed);
    if (position === null) {
      return { ok: false, fault: text("deadLetters:fault.json", { message: String(error) }), position };
    }
    const before = typed.slice(0, position).split("\n");
    const place = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    const found = typed.slice(position).match(/^\S{1,12}/)?.[0];
    const fault = found
      ? text("deadLetters:fault.jsonAt", { ...place, found })
      : text("deadLetters:fault.jsonEnds", place);
    return { ok: false, fault, position };
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { ok: false, fault: text("deadLetters:fault.object"), position: null };
  }
  return { ok: true, body: body as Record<string, unknown> };
}
