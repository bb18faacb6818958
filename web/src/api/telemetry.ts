import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { sdk } from "./client";
import { edgesOf, type Span, seriesWindow } from "./span";

/** An answer together with the moment (epoch ms) at which it was asked for: what was stored before is in it. */
export interface Asked<T> {
  askedAt: number;
  answer: T;
}

async function asked<T>(askedAt: number, answer: Promise<T>): Promise<Asked<T>> {
  return { askedAt, answer: await answer };
}

export function useTypes(deviceId: string) {
  return useQuery({
    queryKey: ["telemetry", deviceId, "types"],
    queryFn: ({ signal }) => sdk.readTypes({ path: { deviceId }, signal }),
    refetchInterval: 30_000,
    select: (answer) => answer.types,
  });
}

export interface SeriesSelection {
  type: string;
  unit: string | null;
  span: Span;
  enabled: boolean;
  refresh: boolean;
  /** Epoch ms: as it could have been read then; null or absent for now. */
  asOf?: number | null;
}

export function useSeries(deviceId: string, selection: SeriesSelection) {
  const { type, unit, span, asOf = null } = selection;
  return useQuery({
    queryKey: ["telemetry", deviceId, "series", type, unit, span, asOf],
    queryFn: ({ signal }) => {
      const now = Date.now();
      const { from, to, points } = seriesWindow(span, now);
      // An empty unit asks for the series without one.
      const query = { type, unit: unit ?? "", from: iso(from), to: iso(to), points, asOf: isoOrNone(asOf) };
      return asked(now, sdk.readSeries({ path: { deviceId }, query, signal }));
    },
    enabled: selection.enabled,
    placeholderData: keepPreviousData,
    refetchInterval: selection.refresh && span.kind === "rolling" ? 20_000 : false,
  });
}

/** A series between fixed edges (epoch ms), in at most `points` buckets; nothing is asked while `between` is null. */
export function useSeriesBetween(
  deviceId: string,
  selection: { type: string; unit: string | null; asOf: number | null },
  between: { from: number; to: number; points: number } | null,
) {
  const { type, unit, asOf } = selection;
  return useQuery({
    queryKey: ["telemetry", deviceId, "series", type, unit, between, asOf],
    queryFn: ({ signal }) => {
      const { from, to, points } = between ?? { from: 0, to: 1, points: 1 };
      const query = { type, unit: unit ?? "", from: iso(from), to: iso(to), points, asOf: isoOrNone(asOf) };
      return sdk.readSeries({ path: { deviceId }, query, signal });
    },
    enabled: between !== null,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}

export function useInsights(deviceId: string, hours: number, refresh: boolean) {
  return useQuery({
    queryKey: ["telemetry", deviceId, "insights", hours],
    queryFn: ({ signal }) => asked(Date.now(), sdk.readInsights({ path: { deviceId }, query: { hours }, signal })),
    refetchInterval: refresh ? 20_000 : false,
  });
}

interface Place {
  cursor: string;
  from: number;
  to: number;
}

/** Events of a span, newest first, page by page; `poll` asks again every five seconds, for when nothing arrives live. */
export function useEvents(
  deviceId: string,
  selection: { type: string | null; span: Span; poll: boolean; asOf?: number | null },
) {
  const { type, span, asOf = null } = selection;
  return useInfiniteQuery({
    queryKey: ["telemetry", deviceId, "events", type, span, asOf],
    queryFn: async ({ pageParam, signal }) => {
      // A cursor is bound to its filter: later pages repeat the edges of the first. A minute ahead for fast clocks.
      const ahead = span.kind === "rolling" ? 60_000 : 0;
      const { from, to } = pageParam ?? edgesOf(span, Date.now() + ahead);
      const askedAt = Date.now();
      const answer = await sdk.readTelemetry({
        path: { deviceId },
        query: {
          type: type === null ? undefined : [type],
          from: iso(from),
          to: iso(to),
          asOf: isoOrNone(asOf),
          order: "desc",
          limit: 50,
          cursor: pageParam?.cursor,
        },
        signal,
      });
      return { from, to, askedAt, answer };
    },
    initialPageParam: null as Place | null,
    getNextPageParam: ({ from, to, answer }): Place | null => (answer.next ? { cursor: answer.next, from, to } : null),
    placeholderData: keepPreviousData,
    refetchInterval: selection.poll ? 5_000 : false,
  });
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function isoOrNone(milliseconds: number | null): string | undefined {
  return milliseconds === null ? undefined : iso(milliseconds);
}

/** Where all readings of a range are had as a file: every reading, not the buckets of a chart. */
export function exportPath(
  deviceId: string,
  selection: { type?: string; from: number; to: number; asOf: number | null; format: "csv" | "ndjson" },
): string {
  const { type, from, to, asOf, format } = selection;
  const query = new URLSearchParams({ format, from: iso(from), to: iso(to) });
  if (type !== undefined) query.set("type", type);
  if (asOf !== null) query.set("asOf", iso(asOf));
  return `/api/v1/devices/${encodeURIComponent(deviceId)}/export?${query}`;
}
