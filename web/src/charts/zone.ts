/** Wall clocks: what a clock on a wall of a time zone shows, as if it were UTC, in epoch milliseconds. */

const formats = new Map<string, Intl.DateTimeFormat>();

/** Offsets by zone and quarter of an hour: rules change at quarters, and asking Intl costs a hundred times as much. */
const offsets = new Map<string, Map<number, number>>();
const QUARTER = 900_000;
const REMEMBERED = 20_000;

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    // The one locale whose dates are those of ISO 8601.
    format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
    formats.set(zone, format);
  }
  return format;
}

/** Milliseconds by which clocks of a zone are ahead of UTC at a moment (epoch ms). */
export function offsetAt(moment: number, zone: string): number {
  let known = offsets.get(zone);
  if (!known || known.size > REMEMBERED) {
    known = new Map();
    offsets.set(zone, known);
  }
  const quarter = Math.floor(moment / QUARTER);
  let offset = known.get(quarter);
  if (offset === undefined) {
    const start = quarter * QUARTER;
    offset = Date.parse(`${formatOf(zone).format(start).replace(" ", "T")}Z`) - start;
    known.set(quarter, offset);
  }
  return offset;
}

/** What the wall clock shows at a moment. */
export function wallOf(moment: number, zone: string): number {
  return moment + offsetAt(moment, zone);
}

/** The first moment at which the wall clock shows `wall`; where it skips that, the moment at which it has jumped. */
export function momentOf(wall: number, zone: string): number {
  const early = wall - offsetAt(wall - 86_400_000, zone);
  const late = wall - offsetAt(wall + 86_400_000, zone);
  const [first, second] = early <= late ? [early, late] : [late, early];
  if (wallOf(first, zone) === wall) return first;
  if (wallOf(second, zone) === wall) return second;
  // Skipped: the jump lies between the two readings of the wall; clocks change at quarters.
  let jump = Math.floor(first / QUARTER) * QUARTER;
  while (wallOf(jump, zone) < wall) jump += QUARTER;
  return jump;
}
