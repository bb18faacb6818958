import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import { ApiError } from "./errors";
import type { Me, Setup } from "./types";

export const meKey = ["me"] as const;

/** Who is signed in; null when nobody is. */
export function useMe() {
  return useQuery({
    queryKey: meKey,
    queryFn: async ({ signal }): Promise<Me | null> => {
      try {
        return await sdk.getMe({ signal });
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
    staleTime: 60_000,
  });
}

export function useSignIn() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (credentials: { email: string; password: string; code?: string }) => sdk.login({ body: credentials }),
    onSuccess: (me) => cache.setQueryData(meKey, me),
  });
}

export function useSignOut() {
  return useMutation({
    mutationFn: () => sdk.logout(),
    // A full page load forgets everything this session has read. Who came of a provider leaves there, too.
    onSuccess: (left) => window.location.assign(left?.next ?? "/sign-in"),
  });
}

/** Acts for another tenant of this person from now on. */
export function useChooseTenant() {
  return useMutation({
    mutationFn: (tenantId: string) => sdk.chooseTenant({ body: { tenantId } }),
    // Nothing of the former tenant may stay on the page.
    onSuccess: () => window.location.assign("/devices"),
  });
}

export function useSetup() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (setup: Setup) => sdk.setUp({ body: setup }),
    onSuccess: (me) => cache.setQueryData(meKey, me),
  });
}
