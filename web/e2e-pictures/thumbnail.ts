import type { Page } from "@playwright/test";

/** What is seen from afar: the mean colour of each square of a picture. */
export interface Thumbnail {
  columns: number;
  /** Three numbers from 0 to 255 for each square, row by row. */
  squares: number[];
}

const SQUARE = 20;
/** Colours of a square that differ by less look the same from afar. */
const SAME = 28;

/** Made by the browser, of a blank page: it knows how to read a picture. */
export async function thumbnailOf(page: Page, picture: Buffer): Promise<Thumbnail> {
  return page.evaluate(
    async ([source, square]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${source}`;
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = Math.ceil(image.naturalWidth / square);
      canvas.height = Math.ceil(image.naturalHeight / square);
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.imageSmoothingQuality = "high";
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const squares: number[] = [];
      for (let at = 0; at < data.length; at += 4) squares.push(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0);
      return { columns: canvas.width, squares };
    },
    [picture.toString("base64"), SQUARE] as const,
  );
}

/** The share of squares that look otherwise; 1 for another size. */
export function difference(a: Thumbnail, b: Thumbnail): number {
  if (a.columns !== b.columns || a.squares.length !== b.squares.length) return 1;
  let other = 0;
  for (let at = 0; at < a.squares.length; at += 3) {
    const far = [0, 1, 2].some((part) => Math.abs((a.squares[at + part] ?? 0) - (b.squares[at + part] ?? 0)) > SAME);
    if (far) other += 1;
  }
  return other / (a.squares.length / 3);
}
