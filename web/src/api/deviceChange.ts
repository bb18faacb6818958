import { useMutation, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { Device } from "./types";

/** What can be changed of a device; absent fields stay. */
export interface DeviceFacts {
  label?: string;
  location?: string;
  tags?: string[];
}

export function useChangeDevice(deviceId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (facts: DeviceFacts) => sdk.changeDevice({ path: { deviceId }, body: facts }),
    onSuccess: (device: Device) => {
      cache.setQueryData(["device", deviceId], device);
      void cache.invalidateQueries({ queryKey: ["devices"] });
    },
  });
}

export function useDeleteDevice(deviceId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () => sdk.deleteDevice({ path: { deviceId } }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["devices"] }),
  });
}
