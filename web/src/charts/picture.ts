/** A chart as a picture of its own: title, what is shown, background; for reports and mails. */

export interface Caption {
  title: string;
  /** Lines below the title: range, time zone, device. */
  lines: string[];
}

interface Look {
  background: string;
  text: string;
  muted: string;
  fontFamily: string;
}

const MARGIN = 16;
const TITLE = 18;
const LINE = 13;
const LEADING = 1.4;

/** A PNG of the canvas of a chart below its caption, at the resolution of the screen. */
export function pictureOf(chart: HTMLCanvasElement, caption: Caption, look: Look, scale: number): Promise<Blob> {
  const head = MARGIN + TITLE * LEADING + caption.lines.length * LINE * LEADING + MARGIN / 2;
  const canvas = document.createElement("canvas");
  canvas.width = chart.width + 2 * MARGIN * scale;
  canvas.height = chart.height + (head + MARGIN) * scale;
  const context = canvas.getContext("2d");
  if (!context) return Promise.reject(new Error("no canvas"));
  context.fillStyle = look.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "top";
  const most = canvas.width - 2 * MARGIN * scale;
  context.fillStyle = look.text;
  context.font = `600 ${TITLE * scale}px ${look.fontFamily}`;
  context.fillText(caption.title, MARGIN * scale, MARGIN * scale, most);
  context.fillStyle = look.muted;
  context.font = `${LINE * scale}px ${look.fontFamily}`;
  caption.lines.forEach((line, index) => {
    const top = MARGIN + TITLE * LEADING + index * LINE * LEADING;
    context.fillText(line, MARGIN * scale, top * scale, most);
  });
  context.drawImage(chart, MARGIN * scale, head * scale);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
  });
}
