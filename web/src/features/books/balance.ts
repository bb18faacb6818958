import type { Books } from "../../api/types";
import { text } from "../../texts";
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
      headline: text("books:verdict.balanced"),
      explanation:
        books.accepted === 0
          ? text("books:verdict.nothing")
          : text("books:verdict.all", { accepted: formatCount(books.accepted) }),
    };
  }
  const missing = books.accepted - settled;
  return {
    balanced: false,
    headline: text("books:verdict.unbalanced"),
    explanation:
      missing > 0
        ? text("books:verdict.missing", { missing: formatCount(missing) })
        : missing < 0
          ? text("books:verdict.surplus", { surplus: formatCount(-missing) })
          : text("books:verdict.gap"),
  };
}
