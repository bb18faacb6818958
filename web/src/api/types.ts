/** Shapes of the HTTP interface under the names the page uses. Times are RFC 3339 strings in UTC with microseconds. */

import type {
  BooksBody,
  BucketView,
  DeadLetterBody,
  DeviceView,
  FleetView,
  InsightView,
  LatestView,
  ReadingView,
  SeriesView,
  SparklineView,
  StatusBody,
  TypeView,
} from "./gen";

export type {
  Acceptance,
  AuditOutcome,
  AuditRecordBody as AuditRecord,
  DeviceChange,
  DeviceStatus,
  EnrolmentTokenView as EnrolmentToken,
  ErasureView as Erasure,
  IssuedKey,
  KeyView as Key,
  KeyView,
  LocationCounts,
  Me,
  Member,
  NewDevice,
  NewEnrolmentToken,
  NewKey,
  NewTenant,
  OfferedRole,
  OutcomeBody as ReplayOutcome,
  PlacementKind,
  Role,
  Scope,
  SettingsChange,
  Setup,
  StatusCounts,
  Step as BooksStep,
  StepBody as BooksStepCounts,
  TenantChange,
  TenantLimits,
  TenantSettings,
  TenantView as Tenant,
} from "./gen";

export type Books = BooksBody;
export type Bucket = BucketView;
export type DeadLetter = DeadLetterBody;
export type Device = DeviceView;
export type Fleet = FleetView;
export type Insight = InsightView;
export type Latest = LatestView;
export type MeasurementType = TypeView;
export type Series = SeriesView;
export type Sparkline = SparklineView;
export type Status = StatusBody;
export type TelemetryEvent = ReadingView;

/** One stored reading as the live stream tells it. The stream is a WebSocket, which OpenAPI does not describe. */
export interface LiveEvent extends ReadingView {
  deviceId: string;
}

export type LiveFrame = {
  epoch: string;
  sequence: number;
  /** The server hears no news at the moment. */
  degraded?: boolean;
  /** The wish (`LiveFilter`) that is answered. */
  id?: number;
} & (
  | { kind: "hello" | "watching" | "heartbeat" }
  | { kind: "events"; events: LiveEvent[] }
  | { kind: "refused"; detail: string }
);

/** What a page wants to be told of; null for all devices of the tenant. */
export interface LiveFilter {
  devices: string[] | null;
}
