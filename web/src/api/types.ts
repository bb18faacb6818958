/** Shapes of the HTTP interface. Times are RFC 3339 strings in UTC with microseconds. */

export type Role = "owner" | "admin" | "operator" | "viewer";

export interface Me {
  kind: "user" | "service" | "device" | "gateway" | "console";
  user: { id: string; email: string; name: string | null } | null;
  tenant: { id: string; name: string } | null;
  role: Role | null;
  platformAdmin: boolean;
  tenants: { id: string; name: string; role: Role }[];
}

export type MeasurementValue = number | string | boolean;

export interface LastValue {
  type: string;
  value: MeasurementValue;
  unit: string | null;
  recordedAt: string;
}

export type DeviceStatus = "online" | "late" | "silent" | "new";

export interface Device {
  deviceId: string;
  label: string | null;
  location: string | null;
  tags: string[];
  status: DeviceStatus;
  lastSeen: string | null;
  lastValues: LastValue[];
  createdAt: string;
}

export interface DevicePage {
  devices: Device[];
  next: string | null;
}

export interface NewDevice {
  deviceId: string;
  label?: string;
  location?: string;
  tags?: string[];
}

export interface IssuedKey {
  keyId: string;
  kind: string;
  name: string | null;
  /** The secret itself; the server tells it once and keeps only a digest. */
  key: string;
}

export interface TelemetryEvent {
  eventId: string;
  type: string;
  value: MeasurementValue;
  unit: string | null;
  recordedAt: string;
  receivedAt: string;
  storedAt?: string;
}

export interface TelemetryPage {
  events: TelemetryEvent[];
  next: string | null;
}

export interface MeasurementType {
  type: string;
  unit: string | null;
  kind: "number" | "boolean" | "string";
}

/** One bucket of [start, start + bucketSeconds). Strings and booleans carry count and last only. */
export interface Bucket {
  start: string;
  count: number;
  min: number | null;
  avg: number | null;
  max: number | null;
  last: MeasurementValue | null;
}

export interface Series {
  type: string;
  unit: string | null;
  from: string;
  to: string;
  bucketSeconds: number;
  settled: string | boolean | null;
  buckets: Bucket[];
}

export interface Insight {
  type: string;
  unit: string | null;
  latest: MeasurementValue | null;
  min: number | null;
  avg: number | null;
  max: number | null;
  count: number;
  lastRecordedAt: string | null;
}

export interface Insights {
  hours: number;
  insights: Insight[];
}

export interface Books {
  from: string | null;
  to: string | null;
  received: number;
  accepted: number;
  rejected: Record<string, number>;
  stored: number;
  duplicate: number;
  dead: Record<string, number>;
  inFlight: number;
  balanced: boolean;
}

export interface Status {
  version: string;
  now: string;
  storage: {
    dataBytes: number;
    freeBytes: number;
    bytesPerDay: number | null;
    daysLeft: number | null;
    ingest: "open" | "refused";
    reason?: string | null;
  };
}

export interface DeadLetter {
  id: string;
  reason: string;
  detail: string | null;
  eventId: string | null;
  deviceId: string | null;
  receivedAt: string;
  body: unknown;
  state: "dead" | "discarded";
}

export interface DeadLetterPage {
  deadLetters: DeadLetter[];
  next: string | null;
}

export interface ReplayOutcome {
  outcome: "stored" | "duplicate" | "dead";
  reason?: string | null;
}

export interface BulkReplayOutcome {
  replayed: { stored: number; duplicate: number; dead: number };
}

/** One stored reading as the live stream tells it. */
export interface LiveEvent extends TelemetryEvent {
  deviceId: string;
}

export type LiveFrame =
  | { kind: "hello"; epoch: string | number; sequence: number }
  | { kind: "events"; epoch: string | number; sequence: number; events: LiveEvent[] }
  | { kind: "heartbeat"; epoch: string | number; sequence: number };
