import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { request } from "./client";
import type { BulkReplayOutcome, DeadLetter, DeadLetterPage, ReplayOutcome } from "./types";

const root = "/api/v1/dead-letters";

function letterPath(id: string): string {
  return `${root}/${encodeURIComponent(id)}`;
}

export function useDeadLetters(reason: string) {
  return useInfiniteQuery({
    queryKey: ["dead-letters", reason],
    queryFn: ({ pageParam, signal }) =>
      request<DeadLetterPage>("GET", root, { query: { reason, limit: 50, cursor: pageParam }, signal }),
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
  return useLetterMutation(({ id, body }: { id: string; body: unknown }) =>
    request<DeadLetter>("PATCH", letterPath(id), { body: { body } }),
  );
}

export function useReplay() {
  return useLetterMutation((id: string) => request<ReplayOutcome>("POST", `${letterPath(id)}/replay`, { body: {} }));
}

export function useBulkReplay() {
  return useLetterMutation((filter: { reason?: string; ids?: string[] }) =>
    request<BulkReplayOutcome>("POST", `${root}/replay`, { body: filter }),
  );
}

export function useDiscard() {
  return useLetterMutation((id: string) => request<void>("DELETE", letterPath(id)));
}
