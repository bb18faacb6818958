import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { NewDevice } from "./types";

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
    onSuccess: () => {
      void cache.invalidateQueries({ queryKey: ["fleet"] });
      return cache.invalidateQueries({ queryKey: ["devices"] });
    },
  });
}

export function useIssueDeviceKey() {
  return useMutation({
    mutationFn: ({ deviceId, name }: { deviceId: string; name: string }) =>
      sdk.issueDeviceKey({ path: { deviceId }, body: { name } }),
  });
}
