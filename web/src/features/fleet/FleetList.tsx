import { Skeleton } from "@mantine/core";
import { useWindowVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { formatCount } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/useNow";
import { DeviceRow } from "./DeviceRow";
import { type Item, neighbour, sumOf } from "./layout";
import { SmallRollUp } from "./StatusRollUp";
import { usePosition } from "./usePosition";
import { useVisibleDevices } from "./useVisibleDevices";

const ROW_PX = 61;
const CARD_PX = 150;
const GROUP_PX = 49;
/** Where rows become cards, as in fleet.css. */
const NARROW = "(max-width: 860px)";

export interface ListHandle {
  /** Puts the focus on the first row. */
  enter(): void;
}

/** The rows of the fleet; only those near the screen are drawn. */
export function FleetList(props: {
  items: Item[];
  /** The address of the view: the place in the list is kept by it. */
  view: string;
  types: string[];
  handle: { current: ListHandle | null };
  onToggle(location: string): void;
  onMore(location: string | null): void;
}) {
  const { t } = useTranslation("fleet");
  const { items, onMore } = props;
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  const wanted = useRef<number | null>(null);
  const now = useNow();
  const measured = useRef<() => VirtualItem[]>(() => []);
  const position = usePosition(props.view, () => measured.current());

  const rowPx = window.matchMedia(NARROW).matches ? CARD_PX : ROW_PX;
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: (index) => (items[index]?.kind === "group" ? GROUP_PX : rowPx),
    getItemKey: (index) => keyOf(items[index], index),
    overscan: 6,
    scrollMargin: top,
    initialOffset: position?.offset ?? 0,
    initialMeasurementsCache: position?.measurements ?? [],
  });
  measured.current = () => virtual.measurementsCache;
  const drawn = virtual.getVirtualItems();

  // What stands above the list grows and shrinks.
  useLayoutEffect(() => {
    const place = () => setTop((list.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    place();
    const observer = new ResizeObserver(place);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);

  const visible = drawn.flatMap(({ index }) => {
    const item = items[index];
    return item?.kind === "device" ? [item.device.deviceId] : [];
  });
  const live = useVisibleDevices(visible);

  const due = drawn.map(({ index }) => items[index]).find((item) => item?.kind === "more");
  const dueOf = due?.kind === "more" ? due.location : undefined;
  const last = items.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: with more rows the end may still be in sight
  useEffect(() => {
    if (dueOf !== undefined) onMore(dueOf);
  }, [dueOf, last]);

  const focusRow = (index: number) => {
    const target = list.current?.querySelector<HTMLElement>(`[data-index="${index}"] [data-row-focus]`);
    wanted.current = target ? null : index;
    target?.focus();
  };
  const goTo = (index: number) => {
    virtual.scrollToIndex(index, { align: "auto" });
    focusRow(index);
  };
  // A row that was out of sight has the focus as soon as it is drawn.
  useEffect(() => {
    if (wanted.current !== null) focusRow(wanted.current);
  });
  props.handle.current = { enter: () => goTo(neighbour(items, -1, 1)) };

  const move = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const from = Number(row.dataset.index);
    const to =
      event.key === "ArrowDown"
        ? neighbour(items, from, 1)
        : event.key === "ArrowUp"
          ? neighbour(items, from, -1)
          : event.key === "Home"
            ? neighbour(items, -1, 1)
            : event.key === "End"
              ? neighbour(items, items.length, -1)
              : null;
    if (to === null) return;
    event.preventDefault();
    goTo(to);
  };

  return (
    <div className="card list fleet-list">
      <div className="device-row list-head" aria-hidden="true">
        <span>{t("head.device")}</span>
        <span>{t("head.location")}</span>
        <span>{t("head.status")}</span>
        <span>{t("head.readings")}</span>
        <span>{t("head.lately")}</span>
        <span>{t("head.seen")}</span>
      </div>
      <ul ref={list} aria-label={t("title")} onKeyDown={move} style={{ height: virtual.getTotalSize() }}>
        {drawn.map((row) => {
          const item = items[row.index];
          if (!item) return null;
          return (
            <li
              key={row.key}
              ref={virtual.measureElement}
              data-index={row.index}
              data-testid={item.kind === "device" ? "device-row" : undefined}
              className={item.kind === "device" ? "device-row" : `${item.kind}-row`}
              aria-posinset={item.kind === "device" ? item.place : undefined}
              aria-setsize={item.kind === "device" ? item.of : undefined}
              style={{ transform: `translateY(${row.start - virtual.options.scrollMargin}px)` }}
            >
              {item.kind === "device" && (
                <DeviceRow t={t} device={item.device} live={live} now={now} types={props.types} />
              )}
              {item.kind === "group" && (
                <button
                  type="button"
                  className="group-head"
                  aria-expanded={item.open}
                  data-row-focus
                  onClick={() => props.onToggle(item.counts.location)}
                >
                  <span className="direction" data-order={item.open ? "open" : "closed"}>
                    <Icon name="down" size={14} />
                  </span>
                  <span className="group-name">{item.counts.location || t("group.none")}</span>
                  <span className="muted small">
                    {t("group.devices", { count: sumOf(item.counts), number: formatCount(sumOf(item.counts)) })}
                  </span>
                  <SmallRollUp counts={item.counts} />
                </button>
              )}
              {item.kind === "more" && <Skeleton height={28} radius="md" />}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function keyOf(item: Item | undefined, index: number): string {
  if (item?.kind === "device") return `device ${item.device.deviceId}`;
  if (item?.kind === "group") return `group ${item.counts.location}`;
  return item ? `more ${item.location ?? ""}` : String(index);
}
