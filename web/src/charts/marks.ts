import type uPlot from "uplot";

/** What is drawn on a chart besides its series: late arrivals, the period it is compared with, moments. */

/** A stretch of time with late arrivals, in epoch seconds. */
export interface LateStretch {
  from: number;
  to: number;
}

/** Points of a line of its own, in the time of the chart; null where it has a gap. */
export interface OtherLine {
  times: number[];
  values: (number | null)[];
}

export interface Marks {
  late?: LateStretch[];
  other?: OtherLine;
  /** From here on (epoch seconds) nothing was known. */
  unknownFrom?: number;
}

export interface MarkColours {
  late: string;
  other: string;
  unknown: string;
}

/** Height of the strip of late arrivals in CSS pixels. */
const STRIP = 4;

/**
 * Late arrivals of buckets (start in epoch seconds, all `width` wide) as stretches: one reaches over neighbouring buckets with
 * late arrivals, if they are no further apart than `gap`.
 */
export function lateStretches(buckets: { start: number; late: boolean }[], width: number, gap: number): LateStretch[] {
  const stretches: LateStretch[] = [];
  let open: LateStretch | null = null;
  for (const { start, late } of buckets) {
    if (!late) {
      open = null;
    } else if (open && start - (open.to - width) <= gap) {
      open.to = start + width;
    } else {
      open = { from: start, to: start + width };
      stretches.push(open);
    }
  }
  return stretches;
}

/** Lowest and highest value of a line within [from, to]; null when there is none. */
export function rangeOf(line: OtherLine, from: number, to: number): [number, number] | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < line.times.length; i += 1) {
    const time = line.times[i] as number;
    const value = line.values[i];
    if (value == null || time < from || time > to) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** Draws below the series: what was not known yet, and the other period. */
export function drawUnder(plot: uPlot, marks: Marks, colours: MarkColours): void {
  const { ctx, bbox } = plot;
  clipped(plot, () => {
    if (marks.unknownFrom !== undefined) {
      const left = Math.max(bbox.left, plot.valToPos(marks.unknownFrom, "x", true));
      const right = bbox.left + bbox.width;
      if (left < right) {
        ctx.fillStyle = colours.unknown;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
    }
    if (marks.other) drawLine(plot, marks.other, colours.other);
  });
}

/** Draws above the series: the strip of late arrivals along the time axis. */
export function drawOver(plot: uPlot, marks: Marks, colours: MarkColours): void {
  if (!marks.late || marks.late.length === 0) return;
  const { ctx, bbox } = plot;
  const height = STRIP * devicePixelRatio;
  clipped(plot, () => {
    ctx.fillStyle = colours.late;
    for (const { from, to } of marks.late ?? []) {
      const left = plot.valToPos(from, "x", true);
      const width = Math.max(2 * devicePixelRatio, plot.valToPos(to, "x", true) - left);
      ctx.fillRect(left, bbox.top + bbox.height - height, width, height);
    }
  });
}

function drawLine(plot: uPlot, { times, values }: OtherLine, colour: string): void {
  const { ctx } = plot;
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  let drawing = false;
  for (let i = 0; i < times.length; i += 1) {
    const value = values[i];
    if (value == null) {
      drawing = false;
      continue;
    }
    const x = plot.valToPos(times[i] as number, "x", true);
    const y = plot.valToPos(value, "y", true);
    if (drawing) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    drawing = true;
  }
  ctx.stroke();
}

function clipped({ ctx, bbox }: uPlot, draw: () => void): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}
