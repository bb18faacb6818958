/** The path of values over their indices, `width` × `height`, broken where there are none; "" without a line. */
export function pathOf(values: readonly (number | null)[], width: number, height: number): string {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return "";
  const low = Math.min(...known);
  const spread = Math.max(...known) - low;
  const step = width / (values.length - 1);
  let path = "";
  let drawing = false;
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const y = spread === 0 ? height / 2 : height - ((value - low) / spread) * height;
    path += `${drawing ? "L" : "M"}${round(index * step)} ${round(y + 1)}`;
    drawing = true;
  });
  return path;
}

const round = (value: number) => Math.round(value * 100) / 100;
