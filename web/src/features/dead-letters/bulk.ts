/** Bulk work on letters in slices: it tells how far it is, can be stopped, and goes on where it was. */

export interface Tally {
  /** Letters that are settled, in whatever way. */
  done: number;
  stored: number;
  duplicate: number;
  /** Still dead: they stay, and can be mended. */
  dead: number;
  discarded: number;
  /** Were not there any more: somebody else has settled them, or an answer was lost. */
  gone: number;
}

export const nothingDone: Tally = { done: 0, stored: 0, duplicate: 0, dead: 0, discarded: 0, gone: 0 };

type Outcome = "stored" | "duplicate" | "dead" | "discarded";
export type Outcomes = Partial<Record<Outcome, number>>;
/** The next ids, a page at a time; null after the last page. A page may be empty. */
export type Source = (signal: AbortSignal) => Promise<number[] | null>;
/** What became of a slice. What it does to a letter, it does once, however often it is asked. */
export type Act = (ids: number[]) => Promise<Outcomes>;

const SLICE = 50;

export class BulkWork {
  private waiting: number[] = [];
  private exhausted = false;
  tally: Tally = nothingDone;

  constructor(
    private readonly source: Source,
    private readonly act: Act,
    private readonly slice = SLICE,
  ) {}

  /**
   * Works until nothing is left, or `signal` says stop: then the slice under way is finished. Rejects with what a slice has
   * failed by; either way calling it again goes on, with that very slice.
   */
  async run(signal: AbortSignal, onProgress: (tally: Tally) => void): Promise<"done" | "stopped"> {
    while (!signal.aborted) {
      const ids = await this.take(signal);
      if (ids === null) return "stopped";
      if (ids.length === 0) return "done";
      const outcomes = await this.act(ids);
      this.waiting.splice(0, ids.length);
      this.count(ids.length, outcomes);
      onProgress(this.tally);
    }
    return "stopped";
  }

  /** The next slice, which waits until it is done; empty after the last one, null when there was no time for it. */
  private async take(signal: AbortSignal): Promise<number[] | null> {
    while (this.waiting.length < this.slice && !this.exhausted) {
      let page: number[] | null;
      try {
        page = await this.source(signal);
      } catch (error) {
        if (signal.aborted) return null;
        throw error;
      }
      if (page === null) this.exhausted = true;
      else this.waiting.push(...page);
    }
    return this.waiting.slice(0, this.slice);
  }

  private count(asked: number, outcomes: Outcomes): void {
    const { stored = 0, duplicate = 0, dead = 0, discarded = 0 } = outcomes;
    const { tally } = this;
    this.tally = {
      done: tally.done + asked,
      stored: tally.stored + stored,
      duplicate: tally.duplicate + duplicate,
      dead: tally.dead + dead,
      discarded: tally.discarded + discarded,
      gone: tally.gone + Math.max(0, asked - stored - duplicate - dead - discarded),
    };
  }
}

/** A source that holds its ids already. */
export function listed(ids: readonly number[]): Source {
  let given = false;
  return async () => {
    if (given) return null;
    given = true;
    return [...ids];
  };
}

/** A source that reads a listing page by page. */
export function paged(
  read: (cursor: string | null, signal: AbortSignal) => Promise<{ ids: number[]; next: string | null }>,
): Source {
  let cursor: string | null = null;
  let ended = false;
  return async (signal) => {
    if (ended) return null;
    const page = await read(cursor, signal);
    cursor = page.next;
    ended = page.next === null;
    return page.ids;
  };
}

/** Does one thing to each, a few at a time; all are awaited before the first failure is told. */
export async function each(ids: readonly number[], work: (id: number) => Promise<void>, atOnce = 4): Promise<void> {
  const waiting = [...ids];
  const failures: unknown[] = [];
  const worker = async () => {
    for (let id = waiting.shift(); id !== undefined && failures.length === 0; id = waiting.shift()) {
      try {
        await work(id);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, worker));
  if (failures.length > 0) throw failures[0];
}
