import { Button, Skeleton } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { edgesOf, type Span } from "../../api/span";
import { exportPath, useEvents } from "../../api/telemetry";
import type { MeasurementType, TelemetryEvent } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatCount, formatLateness, formatReading, formatTimeShort, latenessOf } from "../../ui/format";
import { Select } from "../../ui/Select";
import { useNow } from "../../ui/useNow";
import { type Arrival, LEAST_ARRIVALS } from "./arrivalLog";
import { LATE_MS } from "./lateness";
import { mergeEvents } from "./liveSeries";
import type { Arrivals } from "./useArrivals";

/** Height of a row in CSS pixels, as in the style sheet. */
const ROW = 36;
/** Milliseconds between two readings of the pages, when more arrives than is kept beside them. */
const REREAD_MS = 10_000;
/** Rows before the end of what is loaded at which the next page is asked for. */
const AHEAD = 10;

interface EventTableProps {
  deviceId: string;
  span: Span;
  asOf: number | null;
  types: MeasurementType[];
  /** Type of the events that are listed; empty for all. */
  type: string;
  onType(type: string): void;
  arrivals: Arrivals;
  following: boolean;
  /** Nothing arrives live that should: ask again and again. */
  polling: boolean;
}

/** The events of the range, newest first; only the rows in sight are drawn, and older ones follow as one scrolls. */
export function EventTable(props: EventTableProps) {
  const { t } = useTranslation("device");
  const { deviceId, span, asOf, types, type, onType, arrivals, following } = props;
  const chosen = type === "" ? null : type;
  const rolling = span.kind === "rolling";
  const events = useEvents(deviceId, { type: chosen, span, poll: props.polling && rolling, asOf });
  const now = useNow(10_000, rolling);
  const edges = edgesOf(span, now);
  const scroller = useRef<HTMLElement>(null);
  // Who reads further down is not pushed about: what arrives meanwhile waits at the top.
  const [held, setHeld] = useState<{ end: number; live: Arrival[] } | null>(null);
  const askedAt = events.data?.pages[0]?.askedAt ?? 0;
  const flowing = rolling && following;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `end` tells that the log holds more
  const newest = useMemo(
    () => (flowing ? arrivals.log.between(arrivals.log.end - LEAST_ARRIVALS) : []),
    [flowing, arrivals.log, arrivals.end],
  );
  const live = held?.live ?? newest;
  const rows = useMemo(() => {
    const pages = events.data?.pages.map((page) => page.answer.events) ?? [];
    return mergeEvents(pages, live, { type: chosen, from: edges.from, hasOlder: events.hasNextPage });
  }, [events.data, events.hasNextPage, live, chosen, edges.from]);
  // More has arrived since the pages were read than is kept: there is a hole below what is kept.
  const missing = live.length === LEAST_ARRIVALS && (live[0] as Arrival).arrivedAt > askedAt;
  const { refetch } = events;
  useEffect(() => {
    if (!missing || held) return;
    const timer = setTimeout(() => void refetch(), Math.max(0, askedAt + REREAD_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [missing, held, askedAt, refetch]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items[items.length - 1]?.index ?? -1;
  const waiting = held === null ? 0 : arrivals.end - held.end;
  const tooFast = missing && Date.now() - askedAt < REREAD_MS;
  const names = [...new Set(types.map((known) => known.type))];
  const more = () => {
    if (events.hasNextPage && !events.isFetchingNextPage) void events.fetchNextPage();
  };
  const onScroll = () => {
    const top = scroller.current?.scrollTop ?? 0;
    if (top <= ROW) setHeld(null);
    else setHeld((before) => before ?? { end: arrivals.end, live: newest });
    if (last >= rows.length - AHEAD) more();
  };

  return (
    <section className="card panel" aria-label={t("events.title")}>
      <div className="panel-head">
        <h2 className="panel-title">{t("events.title")}</h2>
        <div className="panel-doing">
          <a
            className="link small"
            href={exportPath(deviceId, { type: chosen ?? undefined, ...edges, asOf, format: "csv" })}
            download
          >
            {t("events.save")}
          </a>
          <Select
            label={t("events.typeLabel")}
            hideLabel
            value={type}
            options={[{ value: "", label: t("events.all") }, ...names.map((name) => ({ value: name, label: name }))]}
            onChange={onType}
            className="panel-type"
          />
        </div>
      </div>
      {events.isError && <Failure message={messageOf(events.error)} onRetry={() => void events.refetch()} />}
      {events.isPending && <Skeleton height={200} aria-label={t("events.loading")} />}
      {events.isSuccess && rows.length === 0 && (
        <Empty title={t("events.none")}>{t(chosen === null ? "events.noneText" : "events.noneOfType")}</Empty>
      )}
      {(waiting > 0 || tooFast) && (
        <p className="events-note" role="status">
          {waiting > 0 ? (
            <button type="button" className="link" onClick={() => scroller.current?.scrollTo({ top: 0 })}>
              {t("events.waiting", { count: waiting, shown: formatCount(waiting) })}
            </button>
          ) : (
            t("events.tooFast", { count: LEAST_ARRIVALS })
          )}
        </p>
      )}
      {rows.length > 0 && (
        <section
          ref={scroller}
          className="table-scroll events-scroll"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
          tabIndex={0}
          aria-label={t("events.scroller")}
          onScroll={onScroll}
        >
          <table className="table events-table" aria-rowcount={events.hasNextPage ? -1 : rows.length + 1}>
            <thead>
              <tr>
                <th scope="col">{t("events.recorded")}</th>
                <th scope="col">{t("events.type")}</th>
                <th scope="col" className="right">
                  {t("events.value")}
                </th>
                <th scope="col">{t("events.received")}</th>
                <th scope="col" className="right">
                  {t("events.lateness")}
                </th>
                <th scope="col" className="event-id">
                  {t("events.id")}
                </th>
              </tr>
            </thead>
            <tbody>
              <Space rows={first} />
              {items.map(({ index }) => {
                const event = rows[index];
                return event && <Row key={`${event.eventId} ${event.type}`} event={event} now={now} index={index} />;
              })}
              <Space rows={rows.length - 1 - last} />
            </tbody>
          </table>
        </section>
      )}
      {events.hasNextPage && (
        <div className="more">
          <Button variant="default" onClick={more} loading={events.isFetchingNextPage}>
            {t("events.older")}
          </Button>
        </div>
      )}
    </section>
  );
}

/** The place of rows that are not drawn. */
function Space({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr>
      <td colSpan={6} className="events-space" style={{ height: rows * ROW }} />
    </tr>
  );
}

function Row({ event, now, index }: { event: TelemetryEvent; now: number; index: number }) {
  const lateness = latenessOf(event);
  return (
    <tr data-testid="event-row" data-event-id={event.eventId} aria-rowindex={index + 2}>
      <td className="number nowrap">
        <time dateTime={event.recordedAt} title={event.recordedAt}>
          {formatTimeShort(event.recordedAt, now)}
        </time>
      </td>
      <td className="nowrap">{event.type}</td>
      <td className="number right">{formatReading(event.value, event.unit)}</td>
      <td className="number nowrap">
        <time dateTime={event.receivedAt} title={event.receivedAt}>
          {formatTimeShort(event.receivedAt, now)}
        </time>
      </td>
      <td className="number right nowrap">
        <span className={lateness > LATE_MS ? "late" : undefined}>{formatLateness(lateness)}</span>
      </td>
      <td className="mono small event-id" title={event.eventId}>
        {event.eventId}
      </td>
    </tr>
  );
}
