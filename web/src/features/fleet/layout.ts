import type { Device, LocationCounts } from "../../api/types";

/** Up to so many devices the groups of a list are open at first, and their rows come with one request. */
export const SMALL_FLEET = 200;

/** What has been read of the devices of a group, or of the list that has none. */
export interface Stretch {
  devices: Device[];
  more: boolean;
}

export type Item =
  | { kind: "group"; counts: LocationCounts; open: boolean }
  | { kind: "device"; device: Device; place: number; of: number }
  | { kind: "more"; location: string | null };

export function sumOf({ online, late, silent, new: fresh }: Omit<LocationCounts, "location">): number {
  return online + late + silent + fresh;
}

export function isOpen(location: string, flipped: string[], matching: number): boolean {
  return matching <= SMALL_FLEET !== flipped.includes(location);
}

/** Rows of a list without groups; `of` is how many devices there are to come. */
export function plainItems({ devices, more }: Stretch, of: number): Item[] {
  const items: Item[] = devices.map((device, index) => ({ kind: "device", device, place: index + 1, of }));
  if (more) items.push({ kind: "more", location: null });
  return items;
}

/** Rows of a list by location: a heading each, and what has been read of those that are open. */
export function groupedItems(
  groups: LocationCounts[],
  open: (location: string) => boolean,
  stretchOf: (location: string) => Stretch | undefined,
): Item[] {
  const items: Item[] = [];
  for (const counts of groups) {
    const isOpen = open(counts.location);
    items.push({ kind: "group", counts, open: isOpen });
    if (!isOpen) continue;
    const stretch = stretchOf(counts.location);
    const of = sumOf(counts);
    const devices = stretch?.devices ?? [];
    devices.forEach((device, index) => {
      items.push({ kind: "device", device, place: index + 1, of });
    });
    if (!stretch || stretch.more) items.push({ kind: "more", location: counts.location });
  }
  return items;
}

/** The devices of a list that is read whole, by location, in the order of the list. */
export function byLocation(devices: Device[]): Map<string, Device[]> {
  const groups = new Map<string, Device[]>();
  for (const device of devices) {
    const group = groups.get(device.location);
    if (group) group.push(device);
    else groups.set(device.location, [device]);
  }
  return groups;
}

/** The next row before or after `from` that can have the focus; `from` itself where there is none. */
export function neighbour(items: Item[], from: number, step: 1 | -1): number {
  for (let at = from + step; at >= 0 && at < items.length; at += step) {
    if (items[at]?.kind !== "more") return at;
  }
  return from;
}

/** Each device once: one that moves within its order while pages are read may be on two of them. */
export function distinct(devices: Device[]): Device[] {
  return [...new Map(devices.map((device) => [device.deviceId, device])).values()];
}
