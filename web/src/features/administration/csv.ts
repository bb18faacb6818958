/** CSV as people have it: RFC 4180, with commas, semicolons or tabs. */

export interface CsvRow {
  /** Of the file, from 1: where the row begins. */
  line: number;
  cells: string[];
}

export type Csv = { ok: true; separator: string; rows: CsvRow[] } | { ok: false; line: number };

const SEPARATORS = [",", ";", "\t"];

/** Rows of a text, empty lines left out; not ok where a quote is never closed, or text follows one. */
export function parseCsv(text: string): Csv {
  const whole = text.startsWith("\ufeff") ? text.slice(1) : text;
  const separator = separatorOf(whole);
  const rows: CsvRow[] = [];
  let cells: string[] = [];
  let cell = "";
  let state: "start" | "plain" | "quoted" | "closed" = "start";
  let line = 1;
  let begun = 1;
  const endCell = () => {
    cells.push(cell);
    cell = "";
    state = "start";
  };
  const endRow = () => {
    endCell();
    if (cells.length > 1 || cells[0]?.trim()) rows.push({ line: begun, cells });
    cells = [];
    line += 1;
    begun = line;
  };
  for (let i = 0; i < whole.length; i += 1) {
    const sign = whole[i] as string;
    const newline = sign === "\n" || sign === "\r";
    if (sign === "\r" && whole[i + 1] === "\n") i += 1;
    if (state === "quoted") {
      if (sign === '"' && whole[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else if (sign === '"') state = "closed";
      else {
        cell += newline ? "\n" : sign;
        if (newline) line += 1;
      }
    } else if (newline) endRow();
    else if (sign === separator) endCell();
    else if (sign === '"' && state === "start" && cell.trim() === "") {
      cell = "";
      state = "quoted";
    } else if (state === "closed") {
      if (sign !== " ") return { ok: false, line };
    } else {
      cell += sign;
      state = "plain";
    }
  }
  if (state === "quoted") return { ok: false, line: begun };
  if (cell !== "" || cells.length > 0 || state === "closed") endRow();
  return { ok: true, separator, rows };
}

/** The one that is most often in the first line, outside of quotes. */
function separatorOf(text: string): string {
  const first = (text.split(/\r|\n/, 1)[0] ?? "").replace(/"[^"]*"/g, "");
  const counts = SEPARATORS.map((separator) => first.split(separator).length);
  return SEPARATORS[counts.indexOf(Math.max(...counts))] ?? ",";
}

/** One line of CSV. Newlines in a cell become spaces, so that a row is a line. */
export function csvLine(cells: readonly string[]): string {
  return cells
    .map((cell) => cell.replace(/[\r\n]+/g, " "))
    .map((cell) => (/[",]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(",");
}

/** A cell that no spreadsheet takes for a formula. */
export function plainCell(cell: string): string {
  return /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
}
