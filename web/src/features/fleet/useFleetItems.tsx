import { type ReactNode, useCallback, useMemo, useState } from "react";
import type { Fleet } from "../../api/types";
import { byLocation, groupedItems, type Item, isOpen, plainItems, SMALL_FLEET } from "./layout";
import { Pages, type Reading } from "./Pages";
import type { View } from "./view";

const PAGE = 100;
const WHOLE = "whole";
const group = (location: string) => `group ${location}`;

interface FleetItems {
  items: Item[];
  pending: boolean;
  error: Error | null;
  again(): void;
  more(location: string | null): void;
  /** What reads the rows; to be drawn somewhere, it shows nothing. */
  readers: ReactNode;
}

/** The rows of a view, read as far as somebody has looked. */
export function useFleetItems(view: View, fleet: Fleet | undefined): FleetItems {
  const [readings, setReadings] = useState<Record<string, Reading>>({});
  const onRead = useCallback((name: string, reading: Reading | null) => {
    setReadings(({ [name]: _, ...others }) => (reading ? { ...others, [name]: reading } : others));
  }, []);
  const matching = fleet?.matching ?? 0;
  // Few devices come with one request, in their order; of many, each group is read when it is opened.
  const byGroup = view.grouped && matching > SMALL_FLEET;
  const waiting = view.grouped && !fleet;
  const groups = (fleet?.locations ?? []).filter(
    ({ location }) => view.location.length === 0 || view.location.includes(location),
  );
  const opened = byGroup ? groups.filter(({ location }) => isOpen(location, view.flipped, matching)) : [];
  const names = byGroup ? opened.map(({ location }) => group(location)) : [WHOLE];

  const whole = readings[WHOLE];
  const split = useMemo(() => byLocation(whole?.devices ?? []), [whole?.devices]);
  const items = useMemo((): Item[] => {
    if (!view.grouped) return whole ? plainItems(whole, matching) : [];
    return groupedItems(
      groups,
      (location) => isOpen(location, view.flipped, matching),
      (location) =>
        byGroup ? readings[group(location)] : whole && { devices: split.get(location) ?? [], more: whole.more },
    );
  }, [view.grouped, view.flipped, whole, split, matching, groups, byGroup, readings]);

  const first = names.map((name) => readings[name]);
  return {
    items,
    pending: waiting || (!byGroup && (whole?.pending ?? true)),
    error: first.find((reading) => reading?.error && reading.devices.length === 0)?.error ?? null,
    again: () => {
      for (const reading of first) reading?.again();
    },
    more: (location) => readings[location === null || !byGroup ? WHOLE : group(location)]?.next(),
    readers: byGroup
      ? opened.map(({ location }) => (
          <Pages
            key={group(location)}
            name={group(location)}
            filter={{ ...view, location: [location] }}
            order={view}
            limit={PAGE}
            onRead={onRead}
          />
        ))
      : !waiting && (
          <Pages
            key={WHOLE}
            name={WHOLE}
            filter={view}
            order={view}
            limit={view.grouped ? SMALL_FLEET : PAGE}
            onRead={onRead}
          />
        ),
  };
}
