import { useQuery } from "@tanstack/react-query";
import { request } from "./client";
import type { Books, Status } from "./types";

/** The tenant's books since its creation, refreshed every two seconds. */
export function useBooks() {
  return useQuery({
    queryKey: ["books"],
    queryFn: ({ signal }) => request<Books>("GET", "/api/v1/books", { signal }),
    refetchInterval: 2_000,
  });
}

export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => request<Status>("GET", "/api/v1/status", { signal }),
    refetchInterval: 30_000,
  });
}
