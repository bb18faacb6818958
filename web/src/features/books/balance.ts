import type { Books } from "../../api/types";
import { formatCount } from "../../ui/format";

export function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Counts by name, the largest first. */
export function ranked(counts: Record<string, number>): [string, number][] {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([nameA, a], [nameB, b]) => b - a || (nameA < nameB ? -1 : 1));
}

export interface Verdict {
  balanced: boolean;
  headline: string;
  explanation: string;
}

/** What the books say, in words. The server's verdict counts; the figures only explain it. */
export function verdictOf(books: Books): Verdict {
  const dead = total(books.dead);
  const settled = books.stored + books.duplicate + dead + books.inFlight;
  if (books.balanced) {
    return {
      balanced: true,
      headline: "The books balance",
      explanation:
        books.accepted === 0
          ? "Nothing has been accepted yet, so nothing can be missing."
          : `Every one of the ${formatCount(books.accepted)} accepted events is stored, a duplicate, a dead letter or on its way.`,
    };
  }
  const missing = books.accepted - settled;
  return {
    balanced: false,
    headline: "The books do not balance",
    explanation:
      missing > 0
        ? `${formatCount(missing)} accepted events are unaccounted for: acknowledged, but neither settled nor on their way.`
        : missing < 0
          ? `${formatCount(-missing)} more events were settled than accepted.`
          : "The figures add up, but the queue shows a gap that nothing explains.",
  };
}
