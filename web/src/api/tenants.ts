import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import { ApiError } from "./errors";
import { meKey } from "./session";
import type { Erasure, NewTenant, SettingsChange, TenantChange } from "./types";

const tenantsKey = ["tenants"] as const;
const settingsKey = ["settings"] as const;

/** The tenant one acts in: its name, quotas and limits. */
export function useSettings() {
  return useQuery({ queryKey: settingsKey, queryFn: ({ signal }) => sdk.getSettings({ signal }) });
}

export function useChangeSettings() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (change: SettingsChange) => sdk.changeSettings({ body: change }),
    onSuccess: (settings) => {
      cache.setQueryData(settingsKey, settings);
      // The name is in the page's head.
      void cache.invalidateQueries({ queryKey: meKey });
    },
  });
}

// ------------------------------------------------------------------------------------- for platform administrators
export function useTenants() {
  return useQuery({
    queryKey: tenantsKey,
    queryFn: async ({ signal }) => (await sdk.listTenants({ signal })).tenants,
    refetchInterval: 15_000,
  });
}

function useTenantMutation<Variables, Answer>(mutationFn: (variables: Variables) => Promise<Answer>) {
  const cache = useQueryClient();
  return useMutation({ mutationFn, onSettled: () => cache.invalidateQueries({ queryKey: tenantsKey }) });
}

export function useCreateTenant() {
  return useTenantMutation((tenant: NewTenant) => sdk.createTenant({ body: tenant }));
}

export function useChangeTenant(tenantId: string) {
  return useTenantMutation((change: TenantChange) => sdk.changeTenant({ path: { tenantId }, body: change }));
}

export function useSuspendTenant(tenantId: string) {
  return useTenantMutation((reason: string) => sdk.suspendTenant({ path: { tenantId }, body: { reason } }));
}

export function useResumeTenant(tenantId: string) {
  return useTenantMutation((_: undefined) => sdk.resumeTenant({ path: { tenantId } }));
}

export function useEraseTenant(tenantId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () => sdk.eraseTenant({ path: { tenantId }, body: { tenantId } }),
    onSuccess: (erasure) => cache.setQueryData(["erasure", tenantId], erasure),
    onSettled: () => cache.invalidateQueries({ queryKey: tenantsKey }),
  });
}

/** How far the erasing of a tenant has come; null where none has begun. */
export function useErasure(tenantId: string, enabled: boolean) {
  return useQuery({
    queryKey: ["erasure", tenantId],
    queryFn: async ({ signal }): Promise<Erasure | null> => {
      try {
        return await sdk.getErasure({ path: { tenantId }, signal });
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    enabled,
    refetchInterval: (query) => (query.state.data && !query.state.data.finishedAt ? 1_000 : false),
  });
}

/** How much a tenant has sent, of a stretch of received time. */
export function useTenantFigures(tenantId: string, hours: number | null) {
  return useQuery({
    queryKey: ["tenants", tenantId, "figures", hours],
    queryFn: ({ signal }) => {
      const from = hours === null ? null : new Date(Date.now() - hours * 3_600_000).toISOString();
      return sdk.readTenantFigures({ path: { tenantId }, query: { from }, signal });
    },
    refetchInterval: 10_000,
  });
}

export function useInviteOwner(tenantId: string) {
  return useMutation({ mutationFn: (email: string) => sdk.inviteOwner({ path: { tenantId }, body: { email } }) });
}
