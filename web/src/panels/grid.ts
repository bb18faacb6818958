/** Where panels lie: a grid of twelve columns in which they fall upwards and never overlap. */

export const COLUMNS = 12;
/** Of one row and of the space between panels, in pixels; the style sheet says the same. */
export const ROW = 48;
export const GAP = 12;
const MAX_HEIGHT = 40;

export interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Placed {
  id: string;
  at: Place;
}

export const heightOf = (rows: number): number => rows * ROW + (rows - 1) * GAP;

function overlap(one: Place, other: Place): boolean {
  return one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h;
}

/** Reading order: what a phone shows below one another, and what the keyboard goes through. */
export function inOrder<Item extends Placed>(items: readonly Item[]): Item[] {
  return [...items].sort((one, other) => one.at.y - other.at.y || one.at.x - other.at.x);
}

/** Everything as far up as it gets, nothing upon anything else; of two at one place the `first` one stays. */
export function settled<Item extends Placed>(items: readonly Item[], first?: string): Item[] {
  const wanted = (item: Item) => item.at.y - (item.id === first ? 0.5 : 0);
  const sorted = [...items].sort((one, other) => wanted(one) - wanted(other) || one.at.x - other.at.x);
  const places = new Map<string, Place>();
  for (const item of sorted) {
    const at = { ...item.at };
    const collides = () => [...places.values()].some((other) => overlap(at, other));
    while (collides()) at.y += 1;
    while (at.y > 0) {
      at.y -= 1;
      if (collides()) {
        at.y += 1;
        break;
      }
    }
    places.set(item.id, at);
  }
  return items.map((item) => ({ ...item, at: places.get(item.id) ?? item.at }));
}

const within = (value: number, low: number, high: number) => Math.min(Math.max(Math.round(value), low), high);

/** With one panel somewhere else. */
export function moved<Item extends Placed>(items: readonly Item[], id: string, x: number, y: number): Item[] {
  return settled(
    items.map((item) =>
      item.id === id
        ? { ...item, at: { ...item.at, x: within(x, 0, COLUMNS - item.at.w), y: Math.max(0, Math.round(y)) } }
        : item,
    ),
    id,
  );
}

/** With one panel of another size. */
export function resized<Item extends Placed>(items: readonly Item[], id: string, w: number, h: number): Item[] {
  return settled(
    items.map((item) =>
      item.id === id
        ? { ...item, at: { ...item.at, w: within(w, 1, COLUMNS - item.at.x), h: within(h, 2, MAX_HEIGHT) } }
        : item,
    ),
    id,
  );
}

/** The first place that is free for something so large, from the top. */
export function freePlace(items: readonly Placed[], w: number, h: number): Place {
  const bottom = Math.max(0, ...items.map(({ at }) => at.y + at.h));
  for (let y = 0; y < bottom; y += 1) {
    for (let x = 0; x + w <= COLUMNS; x += 1) {
      const at = { x, y, w, h };
      if (!items.some((item) => overlap(at, item.at))) return at;
    }
  }
  return { x: 0, y: bottom, w, h };
}

const arrows: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** What an arrow does to a panel: moves it, with `larger` changes its size; null for other keys. */
export function byKey<Item extends Placed>(
  items: readonly Item[],
  id: string,
  key: string,
  larger: boolean,
): Item[] | null {
  const arrow = arrows[key];
  const item = items.find((each) => each.id === id);
  if (!arrow || !item) return null;
  const { x, y, w, h } = item.at;
  const [right, down] = arrow;
  if (larger) return resized(items, id, w + right, h + down);
  if (down <= 0) return moved(items, id, x + right, y + down);
  // It falls back to where it was unless it gets below what is under it.
  const under = items.filter(
    (each) => each.id !== id && each.at.x < x + w && x < each.at.x + each.at.w && each.at.y >= y + h,
  );
  const next = under.length > 0 ? Math.min(...under.map((each) => each.at.y + each.at.h)) : y + 1;
  return moved(items, id, x, next - h + 1 > y ? next : y + 1);
}
