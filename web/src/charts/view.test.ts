import { describe, expect, it } from "vitest";
import { keyAction, pinch, zoom } from "./view";

const view = { from: 1_000, to: 2_000 };

describe("zooming", () => {
  it("keeps the moment under the pointer where it is", () => {
    const nearer = zoom(view, 0.5, 1_250);
    expect(nearer.to - nearer.from).toBe(500);
    expect((1_250 - nearer.from) / 500).toBeCloseTo(0.25);
  });

  it("ends at a few seconds and at some years, still about the same moment", () => {
    const near = zoom(view, 1e-9, 1_500);
    expect(near.to - near.from).toBeCloseTo(5);
    expect((near.from + near.to) / 2).toBeCloseTo(1_500);
    const far = zoom(view, 1e9);
    expect(far.to - far.from).toBe(20 * 365 * 86_400);
  });

  it("comes back where it was", () => {
    const again = zoom(zoom(view, 3, 1_700), 1 / 3, 1_700);
    expect(again.from).toBeCloseTo(view.from);
    expect(again.to).toBeCloseTo(view.to);
  });
});

describe("two fingers", () => {
  it("hold the moments they touched", () => {
    const next = pinch(view, [0.4, 0.6], [0.2, 0.8]);
    const at = (share: number) => next.from + share * (next.to - next.from);
    expect(at(0.2)).toBeCloseTo(1_400);
    expect(at(0.8)).toBeCloseTo(1_600);
  });

  it("that touch each other show no endless stretch", () => {
    const next = pinch(view, [0.2, 0.8], [0.5, 0.5]);
    expect(Number.isFinite(next.from)).toBe(true);
    expect(next.to - next.from).toBeCloseTo(30_000);
  });
});

describe("keys", () => {
  it("pan by arrows, zoom by plus and minus, reset by Escape; no others", () => {
    expect(keyAction("ArrowLeft", view)).toEqual({ kind: "view", view: { from: 800, to: 1_800 } });
    expect(keyAction("ArrowRight", view)).toEqual({ kind: "view", view: { from: 1_200, to: 2_200 } });
    expect(keyAction("+", view)).toMatchObject({ view: { from: 1_187.5, to: 1_812.5 } });
    expect(keyAction("-", view)).toMatchObject({ view: { from: 700, to: 2_300 } });
    expect(keyAction("Escape", view)).toEqual({ kind: "reset" });
    expect(keyAction("Backspace", view)).toEqual({ kind: "back" });
    expect(keyAction("a", view)).toBeNull();
    expect(keyAction("Tab", view)).toBeNull();
  });
});
