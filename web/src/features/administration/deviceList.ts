import type { ProvisionedRow } from "../../api/provisioning";
import { type CsvRow, csvLine, parseCsv, plainCell } from "./csv";

/** What a list can say of a device, as the server names it. */
export const columns = ["deviceId", "label", "location", "type", "tags"] as const;
export type Column = (typeof columns)[number];
/** Where each column is found in the rows of the file; null where it is not. */
export type Mapping = Record<Column, number | null>;

export const MOST_ROWS = 10_000;

/** Other names under which columns are found, lower case, letters and digits alone. */
const names: Record<Column, string[]> = {
  deviceId: ["deviceid", "id", "device", "deviceeui", "deveui", "serial", "serialnumber", "gerät", "gerätekennung"],
  label: ["label", "name", "title", "description", "bezeichnung"],
  location: ["location", "site", "place", "room", "building", "standort", "ort"],
  type: ["type", "model", "kind", "devicetype", "typ", "modell"],
  tags: ["tags", "tag", "labels", "groups", "schlagworte"],
};

export interface Table {
  header: string[];
  /** Whether the first row holds names. */
  named: boolean;
  rows: CsvRow[];
  mapping: Mapping;
}

export type Read = { ok: true; table: Table } | { ok: false; reason: "empty" | "quotes" | "tooMany"; line: number };

/** A list of devices as it was given: its rows, and which of its columns is which. */
export function readTable(text: string): Read {
  const csv = parseCsv(text);
  if (!csv.ok) return { ok: false, reason: "quotes", line: csv.line };
  const [first, ...others] = csv.rows;
  if (!first) return { ok: false, reason: "empty", line: 1 };
  const guessed = guess(first.cells);
  const named = Object.values(guessed).some((index) => index !== null);
  const rows = named ? others : csv.rows;
  if (rows.length === 0) return { ok: false, reason: "empty", line: 1 };
  if (rows.length > MOST_ROWS) return { ok: false, reason: "tooMany", line: rows[MOST_ROWS]?.line ?? 1 };
  const width = Math.max(...csv.rows.map((row) => row.cells.length));
  const header = Array.from({ length: width }, (_, index) => (named && first.cells[index]?.trim()) || `#${index + 1}`);
  const mapping = named ? guessed : { ...guessed, deviceId: 0, label: width > 1 ? 1 : null };
  return { ok: true, table: { header, named, rows, mapping } };
}

function guess(cells: readonly string[]): Mapping {
  const plain = cells.map((cell) => cell.toLowerCase().replace(/[^\p{L}\p{N}]/gu, ""));
  const mapping: Mapping = { deviceId: null, label: null, location: null, type: null, tags: null };
  for (const column of columns) {
    for (const name of names[column]) {
      const index = plain.indexOf(name);
      if (index < 0 || Object.values(mapping).includes(index)) continue;
      mapping[column] = index;
      break;
    }
  }
  return mapping;
}

/** The same list in the server's own words, a row a line: row n of the table is line n + 2. */
export function serverList({ rows, mapping }: Pick<Table, "rows" | "mapping">): string {
  const used = columns.filter((column) => mapping[column] !== null);
  const lines = rows.map((row) => csvLine(used.map((column) => cellOf(row, mapping[column]))));
  // A lone empty cell would be no row at all.
  return [used.join(","), ...lines.map((line) => line || '""')].join("\r\n");
}

/** A cell of a row; a short row lacks its last ones. */
function cellOf(row: CsvRow, index: number | null): string {
  return index === null ? "" : (row.cells[index] ?? "").trim();
}

export interface PreviewRow {
  line: number;
  deviceId: string;
  cells: Record<Column, string>;
  outcome: ProvisionedRow["outcome"] | null;
  faults: { column: string | null; detail: string }[];
}

/** The rows of a table with what the server says of each. */
export function preview(table: Pick<Table, "rows" | "mapping">, answers: readonly ProvisionedRow[]): PreviewRow[] {
  const byLine = new Map<number, ProvisionedRow[]>();
  for (const answer of answers) {
    const known = byLine.get(answer.line);
    if (known) known.push(answer);
    else byLine.set(answer.line, [answer]);
  }
  return table.rows.map((row, index) => {
    const said = byLine.get(index + 2) ?? [];
    const cells = Object.fromEntries(columns.map((column) => [column, cellOf(row, table.mapping[column])])) as Record<
      Column,
      string
    >;
    return {
      line: row.line,
      deviceId: cells.deviceId,
      cells,
      outcome: said.some((answer) => answer.outcome === "error") ? "error" : (said[0]?.outcome ?? null),
      faults: said.flatMap((answer) =>
        answer.outcome === "error" ? [{ column: answer.column ?? null, detail: answer.detail ?? "" }] : [],
      ),
    };
  });
}

/** How many rows would come to what. */
export function tally(rows: readonly PreviewRow[]): { created: number; kept: number; issued: number; error: number } {
  const counts = { created: 0, kept: 0, issued: 0, error: 0 };
  for (const { outcome } of rows) {
    if (outcome === "created" || outcome === "kept" || outcome === "error") counts[outcome] += 1;
    else if (outcome !== null) counts.issued += 1;
  }
  return counts;
}

/** The keys that were handed out, as a file. */
export function keysFile(rows: readonly ProvisionedRow[]): string {
  const lines = rows.flatMap(({ deviceId, keyId, key }) =>
    key ? [csvLine([plainCell(deviceId), keyId ?? "", key])] : [],
  );
  return ["deviceId,keyId,key", ...lines, ""].join("\r\n");
}
