import { useMutation, useMutationState, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import { ApiError } from "./errors";
import { forgetKept, recallKept } from "./kept";
import { meKey } from "./meKey";
import type { Me, Setup } from "./types";

export { meKey };

/** Who is signed in; null when nobody is. Without a connection, who was here last. */
export function useMe() {
  return useQuery({
    queryKey: meKey,
    queryFn: async ({ signal, client }): Promise<Me | null> => {
      try {
        return await sdk.getMe({ signal });
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        const away = error instanceof ApiError && error.status === 0;
        const kept = away && client.getQueryData(meKey) === undefined ? await recallKept() : null;
        if (kept) return kept;
        throw error;
      }
    },
    staleTime: 60_000,
    retry: (failures, error) => failures < 2 && error instanceof ApiError && error.status >= 500,
    // Asked in any case: without an answer, the page shows what was last seen.
    networkMode: "always",
  });
}

export function useSignIn() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (credentials: { email: string; password: string; code?: string }) => sdk.login({ body: credentials }),
    onSuccess: (me) => cache.setQueryData(meKey, me),
  });
}

const signOutKey = ["sign-out"] as const;

/** Why signing out has come to nothing; null unless it has. */
export function useSignOutFailure(): Error | null {
  return useMutationState({ filters: { mutationKey: signOutKey }, select: ({ state }) => state.error }).at(-1) ?? null;
}

export function useSignOut() {
  return useMutation({
    mutationKey: signOutKey,
    mutationFn: async () => {
      await forgetKept();
      return await sdk.logout();
    },
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
