import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { sdk } from "./client";
import type { AuditOutcome } from "./types";

export interface AuditFilter {
  /** Name or id of who acted; empty for everybody. */
  actor: string;
  outcome: AuditOutcome | "";
}

function asked({ actor, outcome }: AuditFilter) {
  return { actor: actor || null, outcome: outcome || null };
}

/** Who did what in the tenant, newest first. */
export function useAudit(filter: AuditFilter) {
  return useInfiniteQuery({
    queryKey: ["audit", filter],
    queryFn: ({ pageParam, signal }) =>
      sdk.readAudit({ query: { ...asked(filter), limit: 100, cursor: pageParam }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
}

/** Where the same records are to be had as a file. */
export function auditFile(filter: AuditFilter): string {
  const given = Object.entries(asked(filter)).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return `/api/v1/audit/export?${new URLSearchParams([["format", "csv"], ...given])}`;
}
