import { useQuery } from "@tanstack/react-query";
import { sdk } from "./client";

/** The tenant's books since its creation, refreshed every two seconds. */
export function useBooks() {
  return useQuery({
    queryKey: ["books"],
    queryFn: ({ signal }) => sdk.readBooks({ signal }),
    refetchInterval: 2_000,
  });
}

export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => sdk.readStatus({ signal }),
    refetchInterval: 30_000,
  });
}
