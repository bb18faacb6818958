import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { NewEnrolmentToken, NewKey } from "./types";

const keysKey = ["keys"] as const;
const tokensKey = ["enrolment-tokens"] as const;

/** The tenant's gateway and service keys, newest first. */
export function useKeys() {
  return useQuery({
    queryKey: keysKey,
    queryFn: async ({ signal }) => (await sdk.listKeys({ signal })).keys,
    refetchInterval: 30_000,
  });
}

function useKeyMutation<Variables, Answer>(
  mutationFn: (variables: Variables) => Promise<Answer>,
  key: readonly string[],
) {
  const cache = useQueryClient();
  return useMutation({ mutationFn, onSettled: () => cache.invalidateQueries({ queryKey: key }) });
}

export function useIssueKey() {
  return useKeyMutation((wanted: NewKey) => sdk.issueKey({ body: wanted }), keysKey);
}

/** A new key in place of an old one, which goes on for the overlap. */
export function useRotateKey() {
  return useKeyMutation(
    ({ keyId, overlapSeconds, expiresAt }: { keyId: string; overlapSeconds: number; expiresAt: string | null }) =>
      sdk.rotateKey({ path: { keyId }, body: { overlapSeconds, expiresAt } }),
    keysKey,
  );
}

export function useRevokeKey() {
  return useKeyMutation((keyId: string) => sdk.revokeKey({ path: { keyId } }), keysKey);
}

/** Tokens with which devices register themselves, newest first. */
export function useEnrolmentTokens() {
  return useQuery({
    queryKey: tokensKey,
    queryFn: async ({ signal }) => (await sdk.listEnrolmentTokens({ signal })).tokens,
    refetchInterval: 30_000,
  });
}

export function useCreateEnrolmentToken() {
  return useKeyMutation((wanted: NewEnrolmentToken) => sdk.createEnrolmentToken({ body: wanted }), tokensKey);
}

export function useRevokeEnrolmentToken() {
  return useKeyMutation((tokenId: string) => sdk.revokeEnrolmentToken({ path: { tokenId } }), tokensKey);
}
