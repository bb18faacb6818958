/** Shapes of dashboards under the names the page uses. */

import type { DashboardDocument, DashboardView } from "./gen";

export type {
  Choice,
  Choices,
  DashboardDocument,
  DashboardLinkView as DashboardLink,
  DashboardVariable,
  DeviceSeries,
  LatestView as Latest,
  NewDashboard,
  Panel,
  PanelAnswer,
  PanelAnswers,
  PanelSelection,
  Role,
  Threshold,
  WholeDashboard,
} from "./gen";
export type Dashboard = DashboardView;
export type Range = NonNullable<DashboardDocument["range"]>;
export type RefreshSeconds = NonNullable<DashboardDocument["refreshSeconds"]>;
