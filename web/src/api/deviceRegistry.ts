import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { DeviceChange } from "./types";

/** Devices by id, page by page, as they are registered. */
export function useRegisteredDevices(q: string) {
  return useInfiniteQuery({
    queryKey: ["devices", "registered", q],
    queryFn: ({ pageParam, signal }) =>
      sdk.listDevices({ query: { q: q || null, limit: 100, cursor: pageParam }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
}

function useDeviceMutation<Variables, Answer>(mutationFn: (variables: Variables) => Promise<Answer>) {
  const cache = useQueryClient();
  return useMutation({ mutationFn, onSettled: () => cache.invalidateQueries({ queryKey: ["devices"] }) });
}

export function useChangeDevice() {
  return useDeviceMutation(({ deviceId, change }: { deviceId: string; change: DeviceChange }) =>
    sdk.changeDevice({ path: { deviceId }, body: change }),
  );
}

export function useDeleteDevice() {
  return useDeviceMutation((deviceId: string) => sdk.deleteDevice({ path: { deviceId } }));
}
