import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { sdk } from "./client";
import type { AuditOutcome } from "./types";

/** Whose records: of the tenant, or of the installation. */
export type AuditOf = "tenant" | "installation";

export interface AuditFilter {
  /** Name or id of who acted; empty for everybody. */
  actor: string;
  outcome: AuditOutcome | "";
}

function asked({ actor, outcome }: AuditFilter) {
  return { actor: actor || null, outcome: outcome || null };
}

/** Who did what, newest first. */
export function useAudit(of: AuditOf, filter: AuditFilter) {
  return useInfiniteQuery({
    queryKey: ["audit", of, filter],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...asked(filter), limit: 100, cursor: pageParam };
      return of === "tenant" ? sdk.readAudit({ query, signal }) : sdk.readInstallationAudit({ query, signal });
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
}

/** Where the same records are to be had as a file. */
export function auditFile(of: AuditOf, filter: AuditFilter): string {
  const given = Object.entries(asked(filter)).flatMap(([name, value]) => (value ? [[name, value]] : []));
  const place = of === "tenant" ? "/api/v1/audit" : "/api/v1/installation/audit";
  return `${place}/export?${new URLSearchParams([["format", "csv"], ...given])}`;
}
