import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import { meKey } from "./session";
import type { Acceptance } from "./types";

/** What an invitation offers. */
export function useInvitation(token: string) {
  return useQuery({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) => sdk.readInvitation({ body: { token }, signal }),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function useAcceptInvitation() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (acceptance: Acceptance) => sdk.acceptInvitation({ body: acceptance }),
    onSuccess: (me) => cache.setQueryData(meKey, me),
  });
}

/** Joins the tenant of an invitation and acts in it from now on. */
export function useJoin() {
  return useMutation({
    mutationFn: async (token: string) => {
      const tenant = await sdk.joinByInvitation({ body: { token } });
      await sdk.chooseTenant({ body: { tenantId: tenant.id } });
    },
    // Nothing of the former tenant may stay on the page.
    onSuccess: () => window.location.assign("/devices"),
  });
}

export function useReset() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (reset: { token: string; newPassword: string }) => sdk.resetPassword({ body: reset }),
    onSuccess: () => cache.setQueryData(meKey, null),
  });
}

export function useAskForReset() {
  return useMutation({ mutationFn: (email: string) => sdk.askForReset({ body: { email } }) });
}

/** How people can sign in here. */
export function useSignInMethods() {
  return useQuery({
    queryKey: ["sign-in-methods"],
    queryFn: ({ signal }) => sdk.listSignInMethods({ signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
