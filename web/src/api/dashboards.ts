import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";
import type { Choices, DashboardVariable, NewDashboard, Panel, PanelAnswers, Range } from "./dashboardTypes";

const listKey = ["dashboards"] as const;
const keyOf = (id: string) => ["dashboard", id] as const;
/** May be shown once more without a connection; what a link has opened, and links, may not. */
const meta = { kept: true };

export function useDashboards() {
  return useQuery({ queryKey: listKey, queryFn: ({ signal }) => sdk.listDashboards({ signal }), meta });
}

export function useDashboard(id: string) {
  return useQuery({
    queryKey: keyOf(id),
    queryFn: ({ signal }) => sdk.readDashboard({ path: { dashboardId: id }, signal }),
    meta,
    // Screens on walls learn of changes by and by.
    refetchInterval: 60_000,
  });
}

/** Everything that changes dashboards has the lists read anew. */
function useChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => {
      void cache.invalidateQueries({ queryKey: listKey });
      void cache.invalidateQueries({ queryKey: ["dashboard"] });
    },
  });
}

export function useCreateDashboard() {
  return useChange((body: NewDashboard) => sdk.createDashboard({ body }));
}

export function useSaveDashboard(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (body: NewDashboard & { version: number }) => sdk.changeDashboard({ path: { dashboardId: id }, body }),
    onSuccess: (saved) => {
      cache.setQueryData(keyOf(id), saved);
      void cache.invalidateQueries({ queryKey: listKey });
    },
  });
}

export function useDeleteDashboard() {
  return useChange((id: string) => sdk.deleteDashboard({ path: { dashboardId: id } }));
}

export function useVersions(id: string) {
  return useQuery({
    queryKey: [...keyOf(id), "versions"],
    queryFn: ({ signal }) => sdk.listDashboardVersions({ path: { dashboardId: id }, signal }),
  });
}

export function useRestoreVersion(id: string) {
  return useChange(({ version, newest }: { version: number; newest: number }) =>
    sdk.restoreDashboardVersion({ path: { dashboardId: id, version }, body: { version: newest } }),
  );
}

export function useLinks(id: string) {
  return useQuery({
    queryKey: ["dashboard links", id],
    queryFn: ({ signal }) => sdk.listDashboardLinks({ path: { dashboardId: id }, signal }),
  });
}

export function useCreateLink(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (body: { name: string; days: number }) => sdk.createDashboardLink({ path: { dashboardId: id }, body }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["dashboard links", id] }),
  });
}

export function useRevokeLink(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (linkId: string) => sdk.revokeDashboardLink({ path: { dashboardId: id, linkId } }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["dashboard links", id] }),
  });
}

export type Values = Record<string, string[]>;

export interface PanelsAsk {
  panels: Panel[];
  variables: DashboardVariable[];
  values: Values;
  range: Range;
}

/** What panels show now; asked again every `refreshSeconds`, never by itself for 0. */
export function usePanels(ask: PanelsAsk, refreshSeconds: number, enabled = true) {
  return useQuery({
    queryKey: ["panels", ask],
    queryFn: ({ signal }): Promise<PanelAnswers> => sdk.queryPanels({ body: ask, signal }),
    meta,
    placeholderData: keepPreviousData,
    refetchInterval: refreshSeconds > 0 ? refreshSeconds * 1_000 : false,
    enabled: enabled && ask.panels.length > 0,
  });
}

/** What may be chosen for variables. */
export function useChoices(variables: DashboardVariable[]) {
  return useQuery({
    queryKey: ["panel choices", variables],
    queryFn: ({ signal }): Promise<Choices> => sdk.listPanelChoices({ body: { variables }, signal }),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    enabled: variables.length > 0,
  });
}

/** A link is its own credential: the session of whoever opens it is left out. */
const withLink = (token: string) => ({ headers: { Authorization: `Bearer ${token}` }, credentials: "omit" as const });

export function useSharedDashboard(token: string) {
  return useQuery({
    queryKey: ["shared dashboard", token],
    queryFn: ({ signal }) => sdk.readSharedDashboard({ ...withLink(token), signal }),
    refetchInterval: 60_000,
    enabled: token !== "",
  });
}

export function useSharedPanels(
  token: string,
  ask: { values: Values; range: Range },
  refreshSeconds: number,
  enabled: boolean,
) {
  return useQuery({
    queryKey: ["shared panels", token, ask],
    queryFn: ({ signal }): Promise<PanelAnswers> => sdk.querySharedPanels({ ...withLink(token), body: ask, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: refreshSeconds > 0 ? refreshSeconds * 1_000 : false,
    enabled,
  });
}
