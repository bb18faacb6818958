import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import { forgetKept } from "./kept";

const sessionsKey = ["sessions"] as const;

/** Where this person is signed in. */
export function useSessions() {
  return useQuery({
    queryKey: sessionsKey,
    queryFn: async ({ signal }) => (await sdk.listOwnSessions({ signal })).sessions,
  });
}

export function useEndSession() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (sessionId: string) => sdk.endOwnSession({ path: { sessionId } }),
    onSettled: () => cache.invalidateQueries({ queryKey: sessionsKey }),
  });
}

export function useSignOutEverywhere() {
  return useMutation({
    mutationFn: async () => {
      await forgetKept();
      return await sdk.endOwnSessions();
    },
    // A full page load forgets everything this session has read.
    onSuccess: () => window.location.assign("/sign-in"),
  });
}
