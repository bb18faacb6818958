import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";

function keysOf(deviceId: string) {
  return ["device keys", deviceId] as const;
}

/** The keys of a device, newest first, ended ones included. */
export function useDeviceKeys(deviceId: string) {
  return useQuery({
    queryKey: keysOf(deviceId),
    queryFn: ({ signal }) => sdk.listDeviceKeys({ path: { deviceId }, signal }),
    select: (answer) => answer.keys,
    refetchInterval: 60_000,
  });
}

/** Issuing, rotating and ending keys of a device; the list is asked for anew after each. */
export function useKeyChanges(deviceId: string) {
  const cache = useQueryClient();
  const onSettled = () => cache.invalidateQueries({ queryKey: keysOf(deviceId) });
  return {
    issue: useMutation({
      mutationFn: (wanted: { name: string; expiresAt: string | null }) =>
        sdk.issueDeviceKey({ path: { deviceId }, body: wanted }),
      onSettled,
    }),
    rotate: useMutation({
      mutationFn: ({ keyId, overlapSeconds }: { keyId: string; overlapSeconds: number }) =>
        sdk.rotateDeviceKey({ path: { deviceId, keyId }, body: { overlapSeconds } }),
      onSettled,
    }),
    revoke: useMutation({
      mutationFn: (keyId: string) => sdk.revokeDeviceKey({ path: { deviceId, keyId } }),
      onSettled,
    }),
  };
}
