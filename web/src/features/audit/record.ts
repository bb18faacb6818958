import type { AuditRecord } from "../../api/types";

/** Name of who acted; the id where there is no name. */
export function whoOf(actor: AuditRecord["actor"]): string {
  return actor.name || actor.id || "–";
}

/** The small facts of a record, as `name: value`. */
export function detailOf(record: Pick<AuditRecord, "detail">): string {
  return Object.entries(record.detail)
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ");
}
