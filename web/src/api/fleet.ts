import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Batch } from "./batch";
import { sdk } from "./client";
import type { ListDevicesData } from "./gen";
import type { DeviceStatus, Latest, Sparkline } from "./types";

export type DeviceSort = NonNullable<NonNullable<ListDevicesData["query"]>["sort"]>;

/** Which devices; several choices of one kind are alternatives, but a device has all of the tags. */
export interface DeviceFilter {
  q: string;
  status: DeviceStatus[];
  location: string[];
  type: string[];
  tag: string[];
}

export interface DeviceOrder {
  sort: DeviceSort;
  order: "asc" | "desc";
}

const HOURS = 24;
/** Pages up to which a list is read again whole; further down only what is seen is kept fresh. */
const FRESH_PAGES = 2;

function queryOf({ q, status, location, type, tag }: DeviceFilter) {
  return { q: q || null, status, location, type, tag };
}

/** The fleet in counts, read again every ten seconds. */
export function useFleet(filter: DeviceFilter, enabled: boolean) {
  return useQuery({
    queryKey: ["fleet", queryOf(filter)],
    queryFn: ({ signal }) => sdk.readFleet({ query: queryOf(filter), signal }),
    enabled,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
}

/** The list of devices, page by page. */
export function useDevicePages(filter: DeviceFilter, order: DeviceOrder, limit: number) {
  return useInfiniteQuery({
    queryKey: ["devices", queryOf(filter), order.sort, order.order, limit],
    queryFn: ({ pageParam, signal }) =>
      sdk.listDevices({
        query: { ...queryOf(filter), sort: order.sort, order: order.order, limit, cursor: pageParam },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    refetchInterval: (query) => (isShort(query) ? 15_000 : false),
    refetchOnMount: isShort,
    refetchOnReconnect: isShort,
    refetchOnWindowFocus: isShort,
  });
}

/** Reading a list again means reading each of its pages, one after another. */
function isShort({ state }: { state: { data?: { pages: unknown[] } } }): boolean {
  return (state.data?.pages.length ?? 0) <= FRESH_PAGES;
}

/** The newest reading of every series of the devices, at most a hundred. */
export async function readLatest(devices: string[]): Promise<Latest[]> {
  const answer = await sdk.query({ body: { select: "latest", devices } });
  return answer.latest ?? [];
}

/** One batch for each type that is asked for; null for whatever type a device sends first. */
const batches = new Map<string | null, Batch<Sparkline>>();

function batchOf(type: string | null): Batch<Sparkline> {
  const load = async (device: string[]) => {
    const answer = await sdk.readSparklines({ query: { device, type: type === null ? null : [type], hours: HOURS } });
    return new Map(answer.sparklines.map((sparkline) => [sparkline.deviceId, sparkline]));
  };
  const batch = batches.get(type) ?? new Batch(load, 100);
  batches.set(type, batch);
  return batch;
}

/** The last 24 hours of a device in few points; asked for together with those of the other rows. */
export function useSparkline(deviceId: string, type: string | null) {
  return useQuery({
    queryKey: ["sparkline", deviceId, type],
    queryFn: ({ signal }) => batchOf(type).ask(deviceId, signal),
    staleTime: 60_000,
    refetchInterval: 60_000,
    retry: false,
  });
}
