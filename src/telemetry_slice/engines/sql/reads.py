"""Reading telemetry with SQL (port `Telemetry`): pages, buckets, insights, last values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, cast, func, or_, select, text

from ...model.events import MAX_MEASUREMENTS, Kind, TenantNo, Value, event_id_of
from ...model.series import (
    LATE_READING_US,
    Bucket,
    Insight,
    LastValue,
    Position,
    Reading,
    Seen,
    SeriesType,
    TimeRange,
    WholeEvent,
)
from ...model.times import MINUTE_US
from .groups import Group
from .readers import TenantReaders
from .rows import fetch_columns, fetch_rows
from .telemetry_tables import series as series_table
from .telemetry_tables import series_latest, telemetry_events

_e = telemetry_events.c
_s = series_table.c
_FIRST_WINDOW_US = 4 * MINUTE_US
_WINDOW_FACTOR = 16
_ROWS_AT_ONCE = 1_000
FOLD_ROWS = 20_000

_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": (
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace ="
        " (SELECT relnamespace FROM pg_class WHERE oid = 'telemetry_events'::regclass)"
    ),
}

Row = list[Any]
"""series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text"""


def _value(kind: int, number: float | None, string: str | None) -> Value:
    if kind == Kind.STRING:
        return string or ""
    return bool(number) if kind == Kind.BOOLEAN else float(number or 0.0)


def _order(series: SeriesType) -> tuple[str, bool, str, int]:
    return series.type, series.unit is not None, series.unit or "", series.kind


class SqlTelemetry:
    """The port `Telemetry` over the tables of `telemetry_tables`.

    On SQLite `telemetry_events` is a view of a table clustered by (series, time, key) and of the rows that arrived
    last, in no order; every statement here is written so that the first is sought, not scanned.
    """

    def __init__(self, readers: TenantReaders) -> None:
        self._readers = readers

    async def readings(
        self,
        tenant: TenantNo,
        device_no: int,
        span: TimeRange,
        *,
        types: Sequence[str] | None,
        after: Position | None,
        descending: bool,
        limit: int,
        seen: Seen | None = None,
    ) -> Sequence[Reading]:
        """See the port."""

        def read(connection: Connection) -> list[Reading]:
            known = _series_of(connection, tenant, device_no, types)
            # One event may be cut at either end; its rows are in no order of type.
            extra = min(len(known), MAX_MEASUREMENTS)
            wanted = limit + 2 * extra
            rows = _rows(connection, tenant, list(known), span, after=after, descending=descending, limit=wanted)
            readings = [_reading(known[row[0]], row) for row in rows]
            readings.sort(key=_place, reverse=descending)
            if after is not None:
                edge = (after.recorded_us, after.key, after.type)
                readings = [r for r in readings if (_place(r) < edge if descending else _place(r) > edge)]
            return readings[:limit]

        return await self._readers.run(tenant, read, seen)

    async def whole_events(
        self,
        tenant: TenantNo,
        device_no: int,
        span: TimeRange,
        *,
        after: Position | None,
        descending: bool,
        limit: int,
        seen: Seen | None = None,
    ) -> Sequence[WholeEvent]:
        """See the port."""

        def read(connection: Connection) -> list[WholeEvent]:
            known = _series_of(connection, tenant, device_no, None)
            extra = min(len(known), MAX_MEASUREMENTS)
            found: list[WholeEvent] = []
            edge = after
            while len(found) < limit:
                # At least one whole event a turn: the last one may be cut, and the edge comes back once more.
                wanted = min(max(limit - len(found), 100), _ROWS_AT_ONCE) + 2 * extra
                rows = _rows(connection, tenant, list(known), span, after=edge, descending=descending, limit=wanted)
                events = _grouped(known, rows, edge)
                if len(rows) == wanted:
                    events.pop()
                found += events
                if len(rows) < wanted:
                    break
                edge = Position(events[-1].recorded_us, events[-1].key, "")
            return found[:limit]

        return await self._readers.run(tenant, read, seen)

    async def types(self, tenant: TenantNo, device_no: int) -> Sequence[SeriesType]:
        """See the port."""
        known = await self._readers.run(tenant, lambda connection: _series_of(connection, tenant, device_no, None))
        return sorted(known.values(), key=_order)

    async def buckets(
        self, tenant: TenantNo, device_no: int, series: SeriesType, span: TimeRange, width_us: int
    ) -> Sequence[Bucket]:
        """See the port. `avg` is the exact mean, correctly rounded."""

        def read(connection: Connection) -> list[Bucket]:
            known = _series_of(connection, tenant, device_no, [series.type])
            ids = [series_id for series_id, kind_of in known.items() if kind_of == series]
            if not ids:
                return []
            groups = _folded(connection, tenant, known, ids, span, width_us)
            numeric = series.kind == Kind.NUMBER
            return [
                Bucket(
                    span.from_us + number * width_us,
                    group.count,
                    group.min if numeric else None,
                    group.mean() if numeric else None,
                    group.max if numeric else None,
                    group.last,
                    group.late,
                )
                for (_, number), group in groups.items()
            ]

        return await self._readers.run(tenant, read)

    async def insights(self, tenant: TenantNo, device_no: int, span: TimeRange) -> Sequence[Insight]:
        """See the port. Where one (type, unit) has values of several kinds, min, avg and max are of its numbers."""

        def read(connection: Connection) -> list[Insight]:
            known = _series_of(connection, tenant, device_no, None)
            if not known:
                return []
            groups = _folded(connection, tenant, known, list(known), span, span.to_us - span.from_us)
            by_name: dict[tuple[str, str | None], dict[int, Group]] = defaultdict(dict)
            for series_id in sorted((series_id for series_id, _ in groups), key=lambda number: _order(known[number])):
                series = known[series_id]
                by_name[series.type, series.unit][series.kind] = groups[series_id, 0]
            insights = []
            for (type_, unit), kinds in by_name.items():
                newest = max(kinds.values(), key=lambda group: (group.last_us, group.last_key))
                numbers = kinds.get(Kind.NUMBER)
                insights.append(
                    Insight(
                        type_,
                        unit,
                        newest.last,
                        numbers.min if numbers else None,
                        numbers.mean() if numbers else None,
                        numbers.max if numbers else None,
                        sum(group.count for group in kinds.values()),
                        newest.last_us,
                    )
                )
            return insights

        return await self._readers.run(tenant, read)

    async def last_values(self, tenant: TenantNo, device_nos: Sequence[int]) -> Mapping[int, Sequence[LastValue]]:
        """See the port."""
        if not device_nos:
            return {}
        latest = series_latest.c
        statement = (
            select(
                _s.device_no, _s.type, _s.unit, _s.kind,
                latest.number, latest.text, latest.recorded_us, latest.received_us,
            )
            .join_from(series_latest, series_table, _s.series_id == latest.series_id)
            .where(latest.tenant_no == tenant, _s.tenant_no == tenant, latest.device_no.in_(device_nos))
        )  # fmt: skip
        rows = await self._readers.run(tenant, lambda connection: fetch_rows(connection, statement))
        found: dict[int, list[LastValue]] = defaultdict(list)
        for device_no, type_, unit, kind, number, string, recorded_us, received_us in sorted(
            rows, key=lambda row: (row[0], _order(SeriesType(*row[1:4])))
        ):
            value = _value(kind, number, string)
            found[device_no].append(LastValue(device_no, type_, unit, value, recorded_us, received_us))
        return found

    async def size_bytes(self) -> int:
        """See the port."""

        def read(connection: Connection) -> int:
            return int(connection.execute(text(_SIZE[connection.dialect.name])).scalar_one())

        return await self._readers.run(TenantNo(0), read)


def _place(reading: Reading) -> tuple[int, bytes, str]:
    return reading.recorded_us, reading.key, reading.type


def _series_of(
    connection: Connection, tenant: TenantNo, device_no: int, types: Sequence[str] | None
) -> dict[int, SeriesType]:
    statement = select(_s.series_id, _s.type, _s.unit, _s.kind).where(_s.tenant_no == tenant, _s.device_no == device_no)
    if types is not None:
        statement = statement.where(_s.type.in_(types))
    return {series_id: SeriesType(*rest) for series_id, *rest in fetch_rows(connection, statement)}


def _within(tenant: TenantNo, ids: Sequence[int], span: TimeRange) -> list[ColumnElement[bool]]:
    """The conditions of every statement over events. The tenant's wall comes on top of its own series ids."""
    of_series = _e.series_id == ids[0] if len(ids) == 1 else _e.series_id.in_(ids)
    # SQLite looks at the recent rows one by one: the condition that refuses most of them comes first.
    conditions = [of_series, _e.tenant_no == tenant, _e.recorded_us >= span.from_us, _e.recorded_us < span.to_us]
    if span.as_of_us is not None:
        conditions.append(_e.stored_us <= span.as_of_us)
    return conditions


def page_statement(
    tenant: TenantNo, ids: Sequence[int], span: TimeRange, *, after: Position | None, descending: bool, limit: int
) -> Select[Any]:
    """Rows of `ids` in `span` from the event `after` on, that event included, in the order (recorded_us, event key)."""
    if after is not None and descending:
        span = TimeRange(span.from_us, min(span.to_us, after.recorded_us + 1), span.as_of_us)
    elif after is not None:
        span = TimeRange(max(span.from_us, after.recorded_us), span.to_us, span.as_of_us)
    conditions = _within(tenant, ids, span)
    if after is not None:
        beyond = _e.recorded_us < after.recorded_us if descending else _e.recorded_us > after.recorded_us
        key = _e.event_key <= after.key if descending else _e.event_key >= after.key
        conditions.append(or_(beyond, and_(_e.recorded_us == after.recorded_us, key)))
    order = [_e.recorded_us, _e.event_key]
    return (
        select(
            _e.series_id, _e.recorded_us, _e.event_key, _e.received_us, _e.stored_us, _e.number, _e.text, _e.event_text
        )
        .where(*conditions)
        .order_by(*(column.desc() if descending else column for column in order))
        .limit(limit)
    )  # fmt: skip


def _rows(
    connection: Connection,
    tenant: TenantNo,
    ids: Sequence[int],
    span: TimeRange,
    *,
    after: Position | None,
    descending: bool,
    limit: int,
) -> list[Row]:
    """Up to `limit` rows as `page_statement` tells.

    One series is read off its own order. Several are sorted, so they are read in windows that grow until the page is
    full: a page of a long range does not sort the range.
    """
    if not ids or span.from_us >= span.to_us:
        return []
    if descending:
        start = span.to_us if after is None else min(span.to_us, after.recorded_us + 1)
        whole = start - span.from_us
    else:
        start = span.from_us if after is None else max(span.from_us, after.recorded_us)
        whole = span.to_us - start
    width = whole if len(ids) == 1 else _FIRST_WINDOW_US
    while True:
        width = min(width, whole)
        low, high = (start - width, start) if descending else (start, start + width)
        window = TimeRange(low, high, span.as_of_us)
        rows = fetch_rows(
            connection, page_statement(tenant, ids, window, after=after, descending=descending, limit=limit)
        )
        if len(rows) >= limit or width >= whole:
            return rows
        width *= _WINDOW_FACTOR


def _reading(series: SeriesType, row: Row) -> Reading:
    _, recorded_us, key, received_us, stored_us, number, string, event_text = row
    return Reading(
        event_id_of(key, event_text),
        "",
        series.type,
        series.unit,
        _value(series.kind, number, string),
        recorded_us,
        received_us,
        stored_us,
        key,
    )


def _grouped(known: Mapping[int, SeriesType], rows: Iterable[Row], edge: Position | None) -> list[WholeEvent]:
    """Rows in the order of events as events, without the event at `edge`."""
    by_event: dict[tuple[int, bytes], list[Row]] = {}
    for row in rows:
        by_event.setdefault((row[1], row[2]), []).append(row)
    if edge is not None:
        by_event.pop((edge.recorded_us, edge.key), None)
    events = []
    for (recorded_us, key), members in by_event.items():
        measurements = []
        for member in members:
            series = known[member[0]]
            value = member[6] if series.kind == Kind.STRING else member[5]
            measurements.append((series.type, series.unit, series.kind, value))
        measurements.sort(key=lambda measurement: measurement[0])
        first = members[0]
        events.append(WholeEvent(event_id_of(key, first[7]), recorded_us, first[3], first[4], tuple(measurements), key))
    return events


def fold_statement(
    tenant: TenantNo, ids: Sequence[int], span: TimeRange, after: tuple[int, int, bytes] | None
) -> Select[tuple[int, int, float, int, bytes]]:
    """The next rows of `ids` in `span`, in the order (series id, recorded_us, event key) strictly after `after`.

    The fourth column is 1 where a reading was received late.
    """
    conditions = _within(tenant, ids, span)
    if after is not None:
        series_id, recorded_us, key = after
        later = or_(_e.recorded_us > recorded_us, and_(_e.recorded_us == recorded_us, _e.event_key > key))
        conditions.append(or_(_e.series_id > series_id, later))
    late = cast(_e.received_us - _e.recorded_us > LATE_READING_US, Integer).label("late")
    return (
        select(_e.series_id, _e.recorded_us, _e.number, late, _e.event_key)
        .where(*conditions)
        .order_by(_e.series_id, _e.recorded_us, _e.event_key)
        .limit(FOLD_ROWS)
    )


def _folded(
    connection: Connection,
    tenant: TenantNo,
    known: Mapping[int, SeriesType],
    ids: Sequence[int],
    span: TimeRange,
    width_us: int,
) -> dict[tuple[int, int], Group]:
    """(series id, number of the bucket) → its group, in that order; some thousand rows are in memory at a time.

    Adding up here costs half of what exact sums in SQL do, and a tenth of the rows' way through a cursor.
    """
    groups: dict[tuple[int, int], Group] = defaultdict(Group)
    ids = sorted(ids)
    after: tuple[int, int, bytes] | None = None
    while True:
        statement = fold_statement(tenant, ids, span, after)
        series_ids, times, numbers, lates = fetch_columns(connection, statement)
        at = 0
        while at < len(times):
            series_id = series_ids[at]
            number = (times[at] - span.from_us) // width_us
            end = bisect_right(series_ids, series_id, at)
            end = bisect_left(times, span.from_us + (number + 1) * width_us, at, end)
            group = groups[series_id, number]
            group.count += end - at
            group.late += sum(lates[at:end])
            group.last_us = times[end - 1]
            group.last = _value(known[series_id].kind, numbers[end - 1], None)
            if known[series_id].kind == Kind.NUMBER:
                group.add_numbers(numbers[at:end])
            at = end
        if len(times) < FOLD_ROWS:
            break
        key = fetch_rows(connection, statement.offset(FOLD_ROWS - 1).limit(1))[0][4]
        after = (series_ids[-1], times[-1], key)
        ids = [series_id for series_id in ids if series_id >= after[0]]
    names = Counter((known[series_id].type, known[series_id].unit) for series_id in {number for number, _ in groups})
    # Texts are not folded, and between kinds of one name the event key decides.
    asked = {
        place: group
        for place, group in groups.items()
        if known[place[0]].kind == Kind.STRING or names[known[place[0]].type, known[place[0]].unit] > 1
    }
    if asked:
        moments = {group.last_us for group in asked.values()}
        newest = _newest(connection, tenant, sorted({series_id for series_id, _ in asked}), span, moments)
        for (series_id, _), group in asked.items():
            group.last_key, value, string = newest[series_id, group.last_us]
            group.last = _value(known[series_id].kind, value, string)
    return groups


def _newest(
    connection: Connection, tenant: TenantNo, ids: Sequence[int], span: TimeRange, moments: Iterable[int]
) -> dict[tuple[int, int], tuple[bytes, float | None, str | None]]:
    """(series id, recorded_us) → (event key, number, text) of the greatest event key, for the `moments` asked."""
    rank = func.row_number().over(partition_by=(_e.series_id, _e.recorded_us), order_by=_e.event_key.desc())
    among = (
        select(_e.series_id, _e.recorded_us, _e.event_key, _e.number, _e.text, rank.label("place"))
        .where(*_within(tenant, ids, span), _e.recorded_us.in_(sorted(moments)))
        .subquery()
    )
    a = among.c
    statement = select(a.series_id, a.recorded_us, a.event_key, a.number, a.text).where(a.place == 1)
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in fetch_rows(connection, statement)}
