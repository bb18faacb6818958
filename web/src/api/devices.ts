import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { request } from "./client";
import type { Device, DevicePage, DeviceStatus, IssuedKey, NewDevice } from "./types";

export function devicePath(deviceId: string): string {
  return `/api/v1/devices/${encodeURIComponent(deviceId)}`;
}

/** The device list, page by page, refreshed every five seconds. */
export function useDevices(filter: { q: string; status: DeviceStatus | "" }) {
  return useInfiniteQuery({
    queryKey: ["devices", filter],
    queryFn: ({ pageParam, signal }) =>
      request<DevicePage>("GET", "/api/v1/devices", {
        query: { q: filter.q, status: filter.status, limit: 100, cursor: pageParam },
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
    queryFn: ({ signal }) => request<Device>("GET", devicePath(deviceId), { signal }),
    refetchInterval: 15_000,
  });
}

export function useCreateDevice() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (device: NewDevice) => request<Device>("POST", "/api/v1/devices", { body: device }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["devices"] }),
  });
}

export function useIssueDeviceKey() {
  return useMutation({
    mutationFn: ({ deviceId, name }: { deviceId: string; name: string }) =>
      request<IssuedKey>("POST", `${devicePath(deviceId)}/keys`, { body: { name } }),
  });
}
