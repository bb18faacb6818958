/** What the recorded server knows: a person, devices, readings and letters, at times relative to now. */

import { createHash } from "node:crypto";

export type Json = Record<string, unknown>;

export interface Reading extends Json {
  eventId: string;
  deviceId: string;
  type: string;
  value: number | string | boolean;
  unit: string | null;
  recordedAt: string;
  receivedAt: string;
  storedAt: string;
}

export const me = {
  kind: "user",
  user: { id: "u1", email: "ada@example.com", name: "Ada Lovelace" },
  tenant: { id: "acme-123", name: "Acme Corporation" },
  role: "owner",
  platformAdmin: false,
  tenants: [{ id: "acme-123", name: "Acme Corporation", role: "owner" }],
};

/** RFC 3339 with microseconds, `ago` seconds before now. */
export function before(ago: number): string {
  return new Date(Date.now() - ago * 1000).toISOString().replace("Z", "000Z");
}

export function wave(type: string, time: number): number {
  const hours = time / 3_600_000;
  const level = type === "pressure" ? 2.4 : 70;
  const swing = type === "pressure" ? 0.12 : 4;
  return (
    level + swing * Math.sin(hours * 1.1) + swing * 0.25 * Math.sin(hours * 9.7) + swing * 0.08 * Math.sin(hours * 97)
  );
}

export function eventIdAt(time: number): string {
  const hex = createHash("sha1").update(String(time)).digest("hex");
  return `0197${hex.slice(0, 4)}-${hex.slice(4, 8)}-7${hex.slice(8, 11)}-8${hex.slice(11, 14)}-${hex.slice(14, 26)}`;
}

/** A temperature reading recorded at `time` (epoch ms) and received `lateness` seconds later. */
export function reading(
  { eventId, value, lateness }: { eventId: string; value: number; lateness: number },
  time: number,
): Reading {
  const recordedAt = new Date(time).toISOString().replace("Z", "000Z");
  const receivedAt = new Date(time + lateness * 1000).toISOString().replace("Z", "000Z");
  const rounded = Math.round(value * 100) / 100;
  return {
    eventId,
    deviceId: "dev-001",
    type: "temperature",
    value: rounded,
    unit: "C",
    recordedAt,
    receivedAt,
    storedAt: receivedAt,
  };
}

export function status(): Json {
  const storage = {
    dataBytes: 214_400_000,
    freeBytes: 41_800_000_000,
    bytesPerDay: 38_500_000,
    daysLeft: 1_085,
    ingest: "open",
  };
  return { version: "0.1.0", now: before(0), storage };
}

export function recordedDevices() {
  const device = (
    deviceId: string,
    label: string,
    location: string,
    tags: string[],
    status: string,
    seen: number | null,
    values: [string, unknown, string | null][],
  ) => ({
    deviceId,
    label,
    location,
    tags,
    status,
    lastSeen: seen === null ? null : before(seen),
    lastValues: values.map(([type, value, unit]) => ({ type, value, unit, recordedAt: before(seen ?? 0) })),
    createdAt: before(86_400),
  });
  return [
    device("dev-001", "Boiler #3", "Plant A", ["steam"], "online", 2, [
      ["temperature", 71.42, "C"],
      ["pressure", 2.417, "bar"],
      ["running", true, null],
    ]),
    device("dev-002", "Chiller #1", "Plant A", [], "late", 1_260, [["temperature", 4.1, "C"]]),
    device("dev-007", "Conveyor drive, hall 2", "Plant B", ["drive", "24 V"], "silent", 259_200, [
      ["vibration", 0.0032, "g"],
      ["state", "idle", null],
    ]),
    device("host", "This computer", "", [], "online", 1, [
      ["cpu", 12.5, "%"],
      ["memory", 41.3, "%"],
      ["disk", 63.8, "%"],
      ["temperature", 48, "C"],
      ["network_in", 18_231, "B/s"],
    ]),
    device("dev-011", "", "", [], "new", null, []),
  ];
}

export function recordedKey(): Json {
  return {
    keyId: "9m8C95mO8e",
    kind: "device",
    name: "firmware 2.1",
    scopes: ["ingest"],
    addresses: [],
    createdAt: before(86_400 * 200),
    expiresAt: before(-86_400 * 5),
    lastUsedAt: before(40),
    lastUsedFrom: "192.0.2.7",
    expiresSoon: true,
    replacedBy: null,
    revokedAt: null,
  };
}

export function recordedLetters() {
  const letter = (id: string, reason: string, detail: string, recordedAt: string) => ({
    id,
    reason,
    detail,
    eventId: `evt-${id}`,
    deviceId: "dev-001",
    receivedAt: before(4_000),
    body: {
      eventId: `evt-${id}`,
      deviceId: "dev-001",
      recordedAt,
      type: "temperature",
      value: 70.1,
      unit: "C",
    } as Json,
    state: "dead",
  });
  return [
    letter("101", "clock", "recordedAt 1970-01-01T00:00:12Z is before the year 2000", "1970-01-01T00:00:12Z"),
    letter("102", "conflict", "The id is stored with another value: 69.8 instead of 70.1", "1999-12-31T23:59:59Z"),
  ];
}

export function recordedSessions() {
  const session = (id: string, userAgent: string, more: Json) => ({
    id,
    kind: "browser",
    tenant: "acme-123",
    createdAt: before(90_000),
    lastUsedAt: before(30),
    expiresAt: before(-500_000),
    address: "192.0.2.7",
    userAgent,
    current: false,
    ...more,
  });
  return [
    session("here", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", { current: true }),
    session("lost", "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML) Chrome/140 Mobile Safari/537.36", {}),
    session("script", "curl/8.5.0", { kind: "refresh" }),
  ];
}

export function recordedAudit() {
  const record = (sequence: number, who: string, what: string, more: Json) => {
    const [action, resource] = what.split(" ");
    return {
      sequence,
      at: before(300 - sequence),
      actor: { kind: "user", id: "u1", name: who },
      action,
      resource,
      target: "",
      tenant: "acme-123",
      address: "192.0.2.7",
      agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
      outcome: "done",
      detail: {},
      hash: "0".repeat(64),
      ...more,
    };
  };
  return [
    record(4, "ada@example.com", "change devices", { target: "dev-001", detail: { label: "Boiler #3" } }),
    record(3, "grace@example.com", "issue keys", { outcome: "refused" }),
    record(2, "ada@example.com", "create invitations", {
      target: "3f8a2c",
      detail: { email: "grace@example.com", role: "viewer" },
    }),
    record(1, "ada@example.com", "open session", {}),
  ];
}
