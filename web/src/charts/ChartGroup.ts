import type { View } from "./view";

/** What a group tells the charts in it. */
interface Member {
  /** Draws this stretch now; null: what the properties say. */
  show(view: View | null): void;
  /** The width of the value axis has grown. */
  widen(): void;
}

let groups = 0;

/**
 * Charts with one time axis: their cursors are linked, they are zoomed together, and their value axes are equally wide. While a
 * gesture lasts the charts are drawn at once, without React; when it ends the page is told.
 */
export class ChartGroup {
  /** Names the group among those whose cursors are linked. */
  readonly key: string;
  private readonly members = new Set<Member>();
  private frame = 0;
  private preview: View | null = null;
  private axis = 0;

  constructor() {
    groups += 1;
    this.key = `charts ${groups}`;
  }

  join(member: Member): () => void {
    this.members.add(member);
    return () => {
      this.members.delete(member);
      if (this.members.size === 0) this.axis = 0;
    };
  }

  /** The stretch that a gesture has reached; null when none is under way. */
  get view(): View | null {
    return this.preview;
  }

  /** Shows a stretch on all charts with the next frame; null ends the gesture. */
  show(view: View | null): void {
    this.preview = view;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      for (const member of this.members) member.show(this.preview);
    });
  }

  /** The width that all value axes take, in CSS pixels, when one of them needs `width`. */
  axisWidth(width: number): number {
    if (width > this.axis) {
      this.axis = width;
      queueMicrotask(() => {
        for (const member of this.members) member.widen();
      });
    }
    return this.axis;
  }
}
