import { Button } from "@mantine/core";
import { useMemo, useState } from "react";
import { messageOf } from "../../api/errors";
import type { LiveState } from "../../api/live";
import { edgesOf, type Span } from "../../api/span";
import { useEvents } from "../../api/telemetry";
import type { MeasurementType, TelemetryEvent } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatLateness, formatReading, formatTimeShort, latenessOf } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Select } from "../../ui/Select";
import { useNow } from "../../ui/useNow";
import { type Arrival, mergeEvents } from "./liveSeries";

/** Milliseconds from recording to receipt beyond which an event is marked as late. */
const LATE_MS = 60_000;

/** Rows drawn at first, and how many more at a time: a busy device's live readings would make the table grow without end. */
const FIRST_ROWS = 200;
const STEP = 50;

interface EventTableProps {
  deviceId: string;
  span: Span;
  types: MeasurementType[];
  arrivals: Arrival[];
  liveState: LiveState;
}

export function EventTable({ deviceId, span, types, arrivals, liveState }: EventTableProps) {
  const [type, setType] = useState("");
  const [limit, setLimit] = useState(FIRST_ROWS);
  const chosen = type === "" ? null : type;
  const events = useEvents(deviceId, {
    type: chosen,
    span,
    poll: (liveState === "reconnecting" || liveState === "degraded") && span.kind === "rolling",
  });
  const now = useNow(10_000, span.kind === "rolling");
  const edges = edgesOf(span, now);
  const rows = useMemo(
    () =>
      mergeEvents(events.data?.pages.map((page) => page.answer.events) ?? [], span.kind === "rolling" ? arrivals : [], {
        type: chosen,
        from: edges.from,
        hasOlder: events.hasNextPage,
      }),
    [events.data, events.hasNextPage, arrivals, chosen, edges.from, span.kind],
  );
  const visible = rows.slice(0, limit);
  const showOlder = () => {
    setLimit(limit + STEP);
    if (rows.length <= limit) void events.fetchNextPage();
  };
  const names = [...new Set(types.map((known) => known.type))];

  return (
    <section className="card panel" aria-label="Events">
      <div className="panel-head">
        <h2 className="panel-title">Events</h2>
        <Select
          label="Type of events"
          hideLabel
          value={type}
          options={[{ value: "", label: "All types" }, ...names.map((name) => ({ value: name, label: name }))]}
          onChange={setType}
          className="panel-type"
        />
      </div>
      {events.isError && <Failure message={messageOf(events.error)} onRetry={() => void events.refetch()} />}
      {events.isPending && <Loading label="Loading events" />}
      {events.isSuccess && rows.length === 0 && <Empty title="No events in this time range" />}
      {rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
        <section className="table-scroll" tabIndex={0} aria-label="Events, newest first">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Recorded</th>
                <th scope="col">Type</th>
                <th scope="col" className="right">
                  Value
                </th>
                <th scope="col">Received</th>
                <th scope="col" className="right">
                  Lateness
                </th>
                <th scope="col">Event id</th>
              </tr>
            </thead>
            <tbody>
              {visible.map((event) => (
                <Row key={`${event.eventId} ${event.type}`} event={event} now={now} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {(events.hasNextPage || rows.length > limit) && (
        <div className="more">
          <Button variant="default" onClick={showOlder} loading={events.isFetchingNextPage}>
            Show older events
          </Button>
        </div>
      )}
    </section>
  );
}

function Row({ event, now }: { event: TelemetryEvent; now: number }) {
  const lateness = latenessOf(event);
  return (
    <tr data-testid="event-row" data-event-id={event.eventId}>
      <td className="number nowrap">
        <time dateTime={event.recordedAt} title={event.recordedAt}>
          {formatTimeShort(event.recordedAt, now)}
        </time>
      </td>
      <td>{event.type}</td>
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
