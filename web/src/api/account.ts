import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import { forgetKept } from "./kept";

const secondFactorKey = ["second-factor"] as const;

/** Whether a code is asked for when this person signs in, and how many recovery codes are left. */
export function useSecondFactor() {
  return useQuery({
    queryKey: secondFactorKey,
    queryFn: ({ signal }) => sdk.getSecondFactor({ signal }),
  });
}

/** A secret for an authenticator; it counts once it is confirmed. */
export function useOfferSecondFactor() {
  return useMutation({ mutationFn: (password: string) => sdk.offerSecondFactor({ body: { password } }) });
}

/** Shows that the authenticator works; what comes back are the recovery codes. */
export function useConfirmSecondFactor() {
  return useMutation({
    mutationFn: async (code: string) => (await sdk.confirmSecondFactor({ body: { code } })).recoveryCodes,
  });
}

export function useRemoveSecondFactor() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (proof: { password: string; code: string }) => sdk.removeSecondFactor({ body: proof }),
    onSuccess: () => cache.invalidateQueries({ queryKey: secondFactorKey }),
  });
}

/** To be called when the recovery codes have been seen: until then the page goes on showing them. */
export function useSecondFactorSeen() {
  const cache = useQueryClient();
  return () => cache.invalidateQueries({ queryKey: secondFactorKey });
}

export function useChangePassword() {
  return useMutation({
    mutationFn: (change: { currentPassword: string; newPassword: string }) => sdk.changePassword({ body: change }),
    // Every session has ended, this one too.
    onSuccess: async () => {
      await forgetKept();
      window.location.assign("/sign-in");
    },
  });
}
