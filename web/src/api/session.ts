import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, request } from "./client";
import type { Me } from "./types";

export const meKey = ["me"] as const;

/** Who is signed in; null when nobody is. */
export function useMe() {
  return useQuery({
    queryKey: meKey,
    queryFn: async ({ signal }): Promise<Me | null> => {
      try {
        return await request<Me>("GET", "/api/v1/me", { signal });
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
    mutationFn: (credentials: { email: string; password: string }) =>
      request<Me>("POST", "/api/v1/auth/login", { body: credentials }),
    onSuccess: (me) => cache.setQueryData(meKey, me),
  });
}

export function useSignOut() {
  return useMutation({
    mutationFn: () => request<void>("POST", "/api/v1/auth/logout"),
    // A full page load forgets everything this session has read.
    onSuccess: () => window.location.assign("/sign-in"),
  });
}

/** Acts for another tenant of this person from now on. */
export function useChooseTenant() {
  return useMutation({
    mutationFn: (tenantId: string) => request<Me>("POST", "/api/v1/auth/tenant", { body: { tenantId } }),
    // Nothing of the former tenant may stay on the page.
    onSuccess: () => window.location.assign("/devices"),
  });
}

export interface SetupRequest {
  token: string;
  email: string;
  password: string;
  tenantId: string;
  tenantName: string;
}

export function useSetup() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (setup: SetupRequest) => request<Me>("POST", "/api/v1/auth/setup", { body: setup }),
    onSuccess: (me) => cache.setQueryData(meKey, me),
  });
}
