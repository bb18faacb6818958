import { describe, expect, it } from "vitest";
import { byKey, freePlace, heightOf, inOrder, moved, type Placed, resized, settled } from "./grid";

const item = (id: string, x: number, y: number, w: number, h: number): Placed => ({ id, at: { x, y, w, h } });
const at = (items: Placed[], id: string) => items.find((each) => each.id === id)?.at;
const text = (items: Placed[]) => items.map(({ id, at: { x, y, w, h } }) => `${id} ${x},${y} ${w}x${h}`);

function overlaps(items: Placed[]): boolean {
  const taken = new Set<string>();
  for (const { at: place } of items) {
    for (let x = place.x; x < place.x + place.w; x += 1) {
      for (let y = place.y; y < place.y + place.h; y += 1) {
        if (taken.has(`${x},${y}`)) return true;
        taken.add(`${x},${y}`);
      }
    }
  }
  return false;
}

describe("the grid of panels", () => {
  it("lets panels fall upwards, and none lie upon another", () => {
    const found = settled([item("a", 0, 5, 6, 2), item("b", 3, 6, 6, 2), item("c", 9, 9, 3, 1)]);
    expect(text(found)).toEqual(["a 0,0 6x2", "b 3,2 6x2", "c 9,0 3x1"]);
  });

  it("moves one aside for another, and keeps it within the columns", () => {
    const items = [item("a", 0, 0, 6, 2), item("b", 6, 0, 6, 2)];
    expect(text(moved(items, "b", 0, 0))).toEqual(["a 0,2 6x2", "b 0,0 6x2"]);
    expect(at(moved(items, "a", 99, 0), "a")).toEqual({ x: 6, y: 0, w: 6, h: 2 });
    expect(at(moved(items, "a", -5, -5), "a")).toEqual({ x: 0, y: 0, w: 6, h: 2 });
  });

  it("changes sizes within bounds", () => {
    const items = [item("a", 8, 0, 2, 2), item("b", 8, 2, 4, 2)];
    expect(at(resized(items, "a", 99, 5), "a")).toEqual({ x: 8, y: 0, w: 4, h: 5 });
    expect(at(resized(items, "a", 99, 5), "b")?.y).toBe(5);
    expect(at(resized(items, "a", -3, 0), "a")).toEqual({ x: 8, y: 0, w: 1, h: 2 });
  });

  it("finds the first free place", () => {
    const items = [item("a", 0, 0, 6, 4), item("b", 6, 0, 3, 2)];
    expect(freePlace(items, 3, 2)).toEqual({ x: 9, y: 0, w: 3, h: 2 });
    expect(freePlace(items, 6, 2)).toEqual({ x: 6, y: 2, w: 6, h: 2 });
    expect(freePlace(items, 12, 2)).toEqual({ x: 0, y: 4, w: 12, h: 2 });
    expect(freePlace([], 4, 4)).toEqual({ x: 0, y: 0, w: 4, h: 4 });
  });

  it("is read from left to right and from above to below", () => {
    expect(inOrder([item("c", 0, 2, 1, 1), item("b", 6, 0, 1, 1), item("a", 0, 0, 1, 1)]).map(({ id }) => id)).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  it("obeys arrow keys", () => {
    const items = [item("a", 0, 0, 4, 2), item("b", 0, 2, 4, 3)];
    expect(at(byKey(items, "a", "ArrowRight", false) ?? [], "a")).toEqual({ x: 1, y: 0, w: 4, h: 2 });
    expect(at(byKey(items, "a", "ArrowDown", true) ?? [], "a")).toEqual({ x: 0, y: 0, w: 4, h: 3 });
    // Down means below the next one, and up again before it.
    const below = byKey(items, "a", "ArrowDown", false) ?? [];
    expect([at(below, "a")?.y, at(below, "b")?.y]).toEqual([3, 0]);
    expect(byKey(items, "a", "Enter", false)).toBeNull();
    expect(byKey(items, "unknown", "ArrowUp", false)).toBeNull();
  });

  it("never overlaps, whatever is done", () => {
    let state = 7;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    let items = Array.from({ length: 12 }, (_, n) =>
      item(`p${n}`, random(9), random(20), 1 + random(3), 2 + random(4)),
    );
    items = settled(items);
    for (let turn = 0; turn < 300; turn += 1) {
      const id = `p${random(12)}`;
      items = turn % 2 ? moved(items, id, random(12), random(20)) : resized(items, id, random(12), random(9));
      expect(overlaps(items)).toBe(false);
      expect(items.every(({ at: { x, w } }) => x >= 0 && x + w <= 12)).toBe(true);
    }
  });

  it("knows its pixels", () => {
    expect(heightOf(1)).toBe(48);
    expect(heightOf(4)).toBe(228);
  });
});
