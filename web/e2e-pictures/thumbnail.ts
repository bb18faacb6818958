import type { Page } from "@playwright/test";

/** What is seen from afar: the mean colour of each square of a picture. */
export interface Thumbnail {
  columns: number;
  /** Three bytes for each square, row by row, in base64. */
  squares: string;
}

const SQUARE = 40;
/** Colours of a square that differ by no more look the same. Pages are mostly ground: their words are a shade of it. */
const SAME = 6;

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
      const bytes = data.filter((_, at) => at % 4 < 3);
      return { columns: canvas.width, squares: btoa(String.fromCharCode(...bytes)) };
    },
    [picture.toString("base64"), SQUARE] as const,
  );
}

/** The share of squares that look otherwise; 1 for another size. */
export function difference(a: Thumbnail, b: Thumbnail): number {
  const [these, those] = [Buffer.from(a.squares, "base64"), Buffer.from(b.squares, "base64")];
  if (a.columns !== b.columns || these.length !== those.length) return 1;
  let other = 0;
  for (let at = 0; at < these.length; at += 3) {
    const isFar = [at, at + 1, at + 2].some((part) => Math.abs((these[part] ?? 0) - (those[part] ?? 0)) > SAME);
    if (isFar) other += 1;
  }
  return other / (these.length / 3);
}
