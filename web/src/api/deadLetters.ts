import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { DeadLetter } from "./types";

export interface LetterFilter {
  /** Empty for any. */
  reason: string;
  /** A device id; empty for any. */
  device: string;
  /** Edges of the received time in epoch ms; null for open. */
  from: number | null;
  to: number | null;
}

/** One page of letters, newest first. */
export function readLetters(
  filter: LetterFilter,
  limit: number,
  cursor: string | null,
  signal: AbortSignal,
): Promise<{ deadLetters: DeadLetter[]; next: string | null }> {
  const query = {
    reason: filter.reason || null,
    device: filter.device || null,
    from: filter.from === null ? null : new Date(filter.from).toISOString(),
    to: filter.to === null ? null : new Date(filter.to).toISOString(),
    limit,
    cursor,
  };
  return sdk.listDeadLetters({ query, signal });
}

/** Replays these letters, at most 1,000; how many came to which outcome. */
export async function replayLetters(ids: number[]): Promise<Record<string, number>> {
  return (await sdk.replayDeadLetters({ body: { ids } })).replayed;
}

export async function discardLetter(id: number): Promise<void> {
  await sdk.discardDeadLetter({ path: { letter_id: id } });
}

export function useDeadLetters(filter: LetterFilter) {
  return useInfiniteQuery({
    queryKey: ["dead-letters", filter],
    queryFn: ({ pageParam, signal }) => readLetters(filter, 50, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
}

/** To be called when letters have changed: the list and the books are read again. */
export function useLettersChanged() {
  const cache = useQueryClient();
  return () =>
    Promise.all([
      cache.invalidateQueries({ queryKey: ["dead-letters"] }),
      cache.invalidateQueries({ queryKey: ["books"] }),
    ]);
}

function useLetterMutation<Variables, Answer>(mutationFn: (variables: Variables) => Promise<Answer>) {
  const changed = useLettersChanged();
  return useMutation({ mutationFn, onSettled: changed });
}

export function useMend() {
  return useLetterMutation(({ id, body }: { id: number; body: Record<string, unknown> }) =>
    sdk.mendDeadLetter({ path: { letter_id: id }, body: { body } }),
  );
}

export function useReplay() {
  return useLetterMutation((id: number) => sdk.replayDeadLetter({ path: { letter_id: id } }));
}

export function useDiscard() {
  return useLetterMutation(discardLetter);
}
