/** A sparkline as the path of one shape: from the greatest to the least number of each bucket, and nothing in a gap. */

export interface Shape {
  path: string;
  low: number;
  high: number;
  gaps: number;
}

/** Null when there is nothing to draw. `width` and `height` are those of the drawing, whose edges are kept free. */
export function shapeOf(
  min: readonly (number | null)[],
  max: readonly (number | null)[],
  width: number,
  height: number,
  margin = 2,
): Shape | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of min) if (value !== null && value < low) low = value;
  for (const value of max) if (value !== null && value > high) high = value;
  if (low > high) return null;
  const step = (width - 2 * margin) / Math.max(1, min.length - 1);
  const x = (index: number) => round(margin + index * step);
  // Halved, because the difference of two finite numbers need not be one.
  const half = high / 2 - low / 2;
  const y = (value: number) =>
    round(half === 0 ? height / 2 : margin + (1 - (value / 2 - low / 2) / half) * (height - 2 * margin));

  let path = "";
  let gaps = 0;
  let from = -1;
  let begun = false;
  for (let index = 0; index <= min.length; index += 1) {
    const present = index < min.length && min[index] !== null && max[index] !== null;
    if (present && from < 0) {
      if (begun) gaps += 1;
      from = index;
      begun = true;
    }
    if (present || from < 0) continue;
    path += runOf(from, index);
    from = -1;
  }
  return { path, low, high, gaps };

  function runOf(start: number, end: number): string {
    const upper: string[] = [];
    const lower: string[] = [];
    for (let index = start; index < end; index += 1) {
      upper.push(`${x(index)} ${y(max[index] as number)}`);
      lower.unshift(`${x(index)} ${y(min[index] as number)}`);
    }
    // A point alone is a line of no length, which round ends make a dot.
    return `M${upper.join("L")}L${lower.join("L")}Z`;
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
