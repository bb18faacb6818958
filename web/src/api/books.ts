import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { sdk } from "./client";
import type { BooksStep } from "./types";

/** A stretch of received time in epoch ms, [from, to). */
export interface Stretch {
  from: number;
  to: number;
}

/** The tenant's books since its creation, or of a stretch of received time; refreshed every two seconds, or ten. */
export function useBooks(stretch: Stretch | null = null) {
  return useQuery({
    queryKey: ["books", stretch],
    queryFn: ({ signal }) => sdk.readBooks({ query: stretch ? edges(stretch) : {}, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: stretch ? 10_000 : 2_000,
  });
}

/** What became of what was received when, by steps counted from the stretch's beginning. */
export function useBooksHistory(stretch: Stretch, step: BooksStep) {
  return useQuery({
    queryKey: ["books", "history", stretch, step],
    queryFn: ({ signal }) => sdk.readBooksHistory({ query: { ...edges(stretch), step }, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  });
}

export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => sdk.readStatus({ signal }),
    refetchInterval: 30_000,
  });
}

function edges({ from, to }: Stretch) {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}
