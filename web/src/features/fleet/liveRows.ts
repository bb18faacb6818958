import type { Device, DeviceStatus, Latest, LiveEvent } from "../../api/types";

type LastValue = Device["lastValues"][number];

/** What was heard of a device since its row was read. */
export interface Heard {
  lastSeen: string;
  /** The newest reading of each series, by type and unit. */
  values: ReadonlyMap<string, LastValue>;
}

/** How often a row is drawn anew at most, however many readings come. */
export const FLUSH_MS = 400;
/** Devices that are remembered beyond those that are looked at. */
const MOST = 2_000;

type News = Pick<LiveEvent, "deviceId" | "type" | "unit" | "value" | "recordedAt" | "receivedAt">;

/** The newest readings of the rows on the screen: gathered as they come, told row by row a few times a second. */
export class LiveRows {
  private readonly heard = new Map<string, Heard>();
  private readonly watchers = new Map<string, Set<() => void>>();
  private gathered = new Map<string, Map<string, News>>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  take = (events: readonly (News | Latest)[]): void => {
    for (const event of events) {
      const series = seriesOf(event);
      const ofDevice = this.gathered.get(event.deviceId) ?? new Map<string, News>();
      const before = ofDevice.get(series);
      if (!before || isNewer(event, before)) ofDevice.set(series, event);
      else if (event.receivedAt > before.receivedAt) ofDevice.set(series, { ...before, receivedAt: event.receivedAt });
      this.gathered.set(event.deviceId, ofDevice);
    }
    if (this.gathered.size > 0) this.timer ??= setTimeout(this.flush, FLUSH_MS);
  };

  of(deviceId: string): Heard | undefined {
    return this.heard.get(deviceId);
  }

  watch(deviceId: string, watcher: () => void): () => void {
    const watchers = this.watchers.get(deviceId) ?? new Set();
    watchers.add(watcher);
    this.watchers.set(deviceId, watchers);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) this.watchers.delete(deviceId);
    };
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private flush = (): void => {
    this.timer = undefined;
    const gathered = this.gathered;
    this.gathered = new Map();
    for (const [deviceId, news] of gathered) {
      const before = this.heard.get(deviceId);
      const values = new Map(before?.values);
      let lastSeen = before?.lastSeen ?? "";
      for (const [series, event] of news) {
        if (event.receivedAt > lastSeen) lastSeen = event.receivedAt;
        const known = values.get(series);
        if (!known || isNewer(event, known)) values.set(series, lastValue(event));
      }
      this.heard.set(deviceId, { lastSeen, values });
    }
    for (const deviceId of this.heard.keys()) {
      if (this.heard.size <= MOST) break;
      if (!this.watchers.has(deviceId)) this.heard.delete(deviceId);
    }
    for (const deviceId of gathered.keys()) for (const watcher of this.watchers.get(deviceId) ?? []) watcher();
  };
}

function seriesOf({ type, unit }: { type: string; unit: string | null }): string {
  return `${type}\n${unit ?? ""}`;
}

function isNewer(one: { recordedAt: string }, other: { recordedAt: string }): boolean {
  return one.recordedAt >= other.recordedAt;
}

function lastValue({ type, unit, value, recordedAt }: News): LastValue {
  return { type, unit, value, recordedAt };
}

/** A row as it was read, with what was heard since. */
export function merged(device: Device, heard: Heard | undefined): Device {
  if (!heard) return device;
  const values = new Map(device.lastValues.map((value) => [seriesOf(value), value]));
  for (const [series, value] of heard.values) {
    const known = values.get(series);
    if (!known || isNewer(value, known)) values.set(series, value);
  }
  const lastSeen = device.lastSeen && device.lastSeen > heard.lastSeen ? device.lastSeen : heard.lastSeen;
  return { ...device, lastSeen, lastValues: [...values.values()].sort((one, other) => compare(one, other)) };
}

function compare(one: LastValue, other: LastValue): number {
  const [a, b] = [seriesOf(one), seriesOf(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}

const ONLINE_MS = 5 * 60_000;
const LATE_MS = 60 * 60_000;

/** As the server has it: it is told by the time that passes, without asking again. */
export function statusOf(lastSeen: string | null, now: number): DeviceStatus {
  if (lastSeen === null) return "new";
  const age = now - Date.parse(lastSeen);
  if (age < ONLINE_MS) return "online";
  return age < LATE_MS ? "late" : "silent";
}
