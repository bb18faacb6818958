import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";

export function useDeadLetters(reason: string) {
  return useInfiniteQuery({
    queryKey: ["dead-letters", reason],
    queryFn: ({ pageParam, signal }) =>
      sdk.listDeadLetters({ query: { reason: reason || null, limit: 50, cursor: pageParam }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
}

function useLetterMutation<Variables, Answer>(mutationFn: (variables: Variables) => Promise<Answer>) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn,
    onSettled: () =>
      Promise.all([
        cache.invalidateQueries({ queryKey: ["dead-letters"] }),
        cache.invalidateQueries({ queryKey: ["books"] }),
      ]),
  });
}

export function useMend() {
  return useLetterMutation(({ id, body }: { id: number; body: Record<string, unknown> }) =>
    sdk.mendDeadLetter({ path: { letter_id: id }, body: { body } }),
  );
}

export function useReplay() {
  return useLetterMutation((id: number) => sdk.replayDeadLetter({ path: { letter_id: id } }));
}

/** Replays all open letters, or all of one reason. */
export function useBulkReplay() {
  return useLetterMutation((reason: string) => sdk.replayDeadLetters({ body: { reason: reason || null } }));
}

export function useDiscard() {
  return useLetterMutation((id: number) => sdk.discardDeadLetter({ path: { letter_id: id } }));
}
