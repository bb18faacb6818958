import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { Member, Role } from "./types";

const usersKey = ["users"] as const;
const invitationsKey = ["invitations"] as const;

export function useUsers() {
  return useQuery({
    queryKey: usersKey,
    queryFn: async ({ signal }) => (await sdk.listUsers({ signal })).users,
    refetchInterval: 30_000,
  });
}

/** Another role; shown at once, and taken back if it is refused. */
export function useChangeRole() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ userId, role }: { userId: string; role: Role }) =>
      sdk.changeUser({ path: { userId }, body: { role } }),
    onMutate: async ({ userId, role }) => {
      await cache.cancelQueries({ queryKey: usersKey });
      const before = cache.getQueryData<Member[]>(usersKey);
      cache.setQueryData<Member[]>(usersKey, (users) =>
        users?.map((user) => (user.id === userId ? { ...user, role } : user)),
      );
      return before;
    },
    onError: (_error, _change, before) => cache.setQueryData(usersKey, before),
    onSettled: () => cache.invalidateQueries({ queryKey: usersKey }),
  });
}

export function useRemoveUser() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (userId: string) => sdk.removeUser({ path: { userId } }),
    onSettled: () => cache.invalidateQueries({ queryKey: usersKey }),
  });
}

/** A link by which a user sets a new password. */
export function useMakeResetLink() {
  return useMutation({ mutationFn: (userId: string) => sdk.makeResetLink({ path: { userId } }) });
}

export function useRemoveUserSecondFactor() {
  return useMutation({ mutationFn: (userId: string) => sdk.removeUserSecondFactor({ path: { userId } }) });
}

/** Who is invited and has not accepted yet. */
export function useInvitations() {
  return useQuery({
    queryKey: invitationsKey,
    queryFn: async ({ signal }) => (await sdk.listInvitations({ signal })).invitations,
    refetchInterval: 30_000,
  });
}

export function useInvite() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (invitation: { email: string; role: Role }) => sdk.invite({ body: invitation }),
    onSuccess: () => cache.invalidateQueries({ queryKey: invitationsKey }),
  });
}

export function useWithdrawInvitation() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (invitationId: string) => sdk.withdrawInvitation({ path: { invitationId } }),
    onSettled: () => cache.invalidateQueries({ queryKey: invitationsKey }),
  });
}
