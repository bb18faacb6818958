import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { DeviceStatus, NewDevice } from "./types";

/** The device list, page by page, refreshed every five seconds. */
export function useDevices(filter: { q: string; status: DeviceStatus | "" }) {
  return useInfiniteQuery({
    queryKey: ["devices", filter],
    queryFn: ({ pageParam, signal }) =>
      sdk.listDevices({
        query: { q: filter.q || null, status: filter.status || null, limit: 100, cursor: pageParam },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  });
}

export function useDevice(deviceId: string) {
  return useQuery({
    queryKey: ["device", deviceId],
    queryFn: ({ signal }) => sdk.getDevice({ path: { deviceId }, signal }),
    refetchInterval: 15_000,
  });
}

export function useCreateDevice() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (device: NewDevice) => sdk.createDevice({ body: device }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["devices"] }),
  });
}

export function useIssueDeviceKey() {
  return useMutation({
    mutationFn: ({ deviceId, name }: { deviceId: string; name: string }) =>
      sdk.issueDeviceKey({ path: { deviceId }, body: { name } }),
  });
}
