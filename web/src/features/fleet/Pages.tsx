import { useEffect } from "react";
import { type DeviceFilter, type DeviceOrder, useDevicePages } from "../../api/fleet";
import { distinct, type Stretch } from "./layout";

export interface Reading extends Stretch {
  pending: boolean;
  error: Error | null;
  /** Reads the next page, if there is one and it is not under way. */
  next(): void;
  again(): void;
}

/** Reads the devices of one group, or of the whole list, and hands up what there is; draws nothing. */
export function Pages(props: {
  /** Whose pages these are, told back with what is read. */
  name: string;
  filter: DeviceFilter;
  order: DeviceOrder;
  limit: number;
  onRead(name: string, reading: Reading | null): void;
}) {
  const { name, onRead } = props;
  const query = useDevicePages(props.filter, props.order, props.limit);
  const { data, isPending, error, hasNextPage, isFetchingNextPage, isPlaceholderData, fetchNextPage, refetch } = query;
  useEffect(() => {
    onRead(name, {
      devices: distinct(data?.pages.flatMap((page) => page.devices) ?? []),
      more: hasNextPage,
      pending: isPending,
      error,
      next: () => {
        if (hasNextPage && !isFetchingNextPage && !isPlaceholderData) void fetchNextPage();
      },
      again: () => void refetch(),
    });
  }, [
    data,
    isPending,
    error,
    hasNextPage,
    isFetchingNextPage,
    isPlaceholderData,
    fetchNextPage,
    refetch,
    name,
    onRead,
  ]);
  useEffect(() => () => onRead(name, null), [name, onRead]);
  return null;
}
