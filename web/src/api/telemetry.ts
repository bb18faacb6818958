import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { request } from "./client";
import { devicePath } from "./devices";
import type { Insights, MeasurementType, Series, TelemetryPage } from "./types";

/** A window of time: the last `seconds` until now, or fixed edges in epoch milliseconds, [from, to). */
export type Span = { kind: "rolling"; seconds: number } | { kind: "fixed"; from: number; to: number };

/** The edges of a span in epoch milliseconds, seen at `now`. */
export function edgesOf(span: Span, now: number): { from: number; to: number } {
  return span.kind === "fixed" ? { from: span.from, to: span.to } : { from: now - span.seconds * 1000, to: now };
}

/** An answer together with the moment (epoch ms) at which it was asked for: what was stored before is in it. */
export interface Asked<T> {
  askedAt: number;
  answer: T;
}

export function useTypes(deviceId: string) {
  return useQuery({
    queryKey: ["telemetry", deviceId, "types"],
    queryFn: ({ signal }) => request<{ types: MeasurementType[] }>("GET", `${devicePath(deviceId)}/types`, { signal }),
    refetchInterval: 30_000,
    select: (answer) => answer.types,
  });
}

export function useSeries(
  deviceId: string,
  selection: { type: string; unit: string | null; span: Span; points: number; enabled: boolean; refresh: boolean },
) {
  const { type, unit, span, points } = selection;
  return useQuery({
    queryKey: ["telemetry", deviceId, "series", type, unit, span, points],
    queryFn: async ({ signal }): Promise<Asked<Series>> => {
      const askedAt = Date.now();
      const { from, to } = edgesOf(span, askedAt);
      const answer = await request<Series>("GET", `${devicePath(deviceId)}/series`, {
        // A rolling window ends a little ahead, so that the newest reading of a fast clock is inside it.
        query: { type, unit, from: iso(from), to: iso(span.kind === "rolling" ? to + 1_000 : to), points },
        signal,
      });
      return { askedAt, answer };
    },
    enabled: selection.enabled,
    placeholderData: keepPreviousData,
    refetchInterval: selection.refresh && span.kind === "rolling" ? 20_000 : false,
  });
}

export function useInsights(deviceId: string, hours: number, refresh: boolean) {
  return useQuery({
    queryKey: ["telemetry", deviceId, "insights", hours],
    queryFn: async ({ signal }): Promise<Asked<Insights>> => {
      const askedAt = Date.now();
      return {
        askedAt,
        answer: await request<Insights>("GET", `${devicePath(deviceId)}/insights`, { query: { hours }, signal }),
      };
    },
    refetchInterval: refresh ? 20_000 : false,
  });
}

/** Events of a span, newest first, page by page; `poll` asks again every five seconds, for when nothing arrives live. */
export function useEvents(deviceId: string, selection: { type: string | null; span: Span; poll: boolean }) {
  const { type, span } = selection;
  return useInfiniteQuery({
    queryKey: ["telemetry", deviceId, "events", type, span],
    queryFn: async ({ pageParam, signal }): Promise<Asked<TelemetryPage> & { edges: { from: number; to: number } }> => {
      const askedAt = Date.now();
      // A cursor is bound to its filter: later pages repeat the edges of the first.
      const edges = pageParam?.edges ?? edgesOf(span, askedAt + (span.kind === "rolling" ? 60_000 : 0));
      const answer = await request<TelemetryPage>("GET", `${devicePath(deviceId)}/telemetry`, {
        query: {
          type,
          from: iso(edges.from),
          to: iso(edges.to),
          order: "desc",
          limit: 50,
          cursor: pageParam?.cursor,
        },
        signal,
      });
      return { askedAt, edges, answer };
    },
    initialPageParam: null as { cursor: string; edges: { from: number; to: number } } | null,
    getNextPageParam: (page) => (page.answer.next ? { cursor: page.answer.next, edges: page.edges } : null),
    placeholderData: keepPreviousData,
    refetchInterval: selection.poll ? 5_000 : false,
  });
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
