import { useEffect, useRef, useState } from "react";
import { discardLetter, type LetterFilter, readLetters, replayLetters, useLettersChanged } from "../../api/deadLetters";
import { ApiError } from "../../api/errors";
import { type Act, BulkWork, each, listed, nothingDone, type Outcomes, paged, type Source, type Tally } from "./bulk";

export type BulkKind = "replay" | "discard";

export interface Bulk {
  kind: BulkKind;
  /** How many there are, if that is known. */
  total: number | null;
  state: "running" | "stopping" | "stopped" | "failed" | "done";
  tally: Tally;
  error: unknown;
}

const PAGE = 200;

const acts: Record<BulkKind, Act> = {
  replay: async (ids): Promise<Outcomes> => replayLetters(ids),
  discard: async (ids) => {
    let discarded = 0;
    await each(ids, async (id) => {
      try {
        await discardLetter(id);
        discarded += 1;
      } catch (error) {
        // Somebody else was faster.
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    });
    return { discarded };
  },
};

/** All open letters that a filter shows, older pages included. */
export function everyLetter(filter: LetterFilter): Source {
  return paged(async (cursor, signal) => {
    const page = await readLetters(filter, PAGE, cursor, signal);
    const open = page.deadLetters.filter((letter) => letter.state === "dead");
    return { ids: open.map((letter) => letter.id), next: page.next };
  });
}

export function someLetters(ids: readonly number[]): Source {
  return listed(ids);
}

/** One piece of bulk work at a time; it ends with the page. */
export function useBulk() {
  const [bulk, setBulk] = useState<Bulk | null>(null);
  const work = useRef<BulkWork | null>(null);
  const stopper = useRef<AbortController | null>(null);
  const changed = useLettersChanged();

  useEffect(() => () => stopper.current?.abort(), []);

  const go = async () => {
    const stop = new AbortController();
    stopper.current = stop;
    const running = work.current;
    if (!running) return;
    setBulk((before) => before && { ...before, state: "running", error: null });
    try {
      const state = await running.run(stop.signal, (tally) => setBulk((before) => before && { ...before, tally }));
      setBulk((before) => before && { ...before, state });
    } catch (error) {
      setBulk((before) => before && { ...before, state: "failed", error });
    } finally {
      void changed();
    }
  };

  return {
    bulk,
    begin(kind: BulkKind, source: Source, total: number | null) {
      work.current = new BulkWork(source, acts[kind]);
      setBulk({ kind, total, state: "running", tally: nothingDone, error: null });
      void go();
    },
    stop() {
      stopper.current?.abort();
      setBulk((before) => before && { ...before, state: "stopping" });
    },
    resume: () => void go(),
    close: () => setBulk(null),
  };
}
