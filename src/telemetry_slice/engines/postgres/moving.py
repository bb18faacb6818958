"""Moving a tenant from or to PostgreSQL, with the rights of the roles that serve: row-level security holds here too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, Cursor, IsolationLevel
from psycopg.sql import Identifier
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ...model.books import StoreBooks
from ...model.errors import DataError, UnavailableError
from ...model.events import TenantNo
from ...model.parcel import PARTS, Head, Rows
from ...model.placement import SHARED, Placement
from ...model.tenancy import Tenant
from ...model.times import DAY_US
from ...ports.moving import MoveRefusedError
from ..sql.moving import RegistryIntake, find_tenant, head_of, read_parts
from . import arrays, counters
from .arrays import float8s, int4s, int8s, texts, uuids
from .connect import CONNECT, engine
from .identity import bucket_of
from .registry import see_only
from .roles import TELEMETRY_SCHEMA
from .transaction import Session, as_store_error

READINGS_AT_ONCE = 2_000
LETTERS_AT_ONCE = 5
"""A letter has a body, which may be large."""
SERIES_AT_ONCE = 200
PARTITIONS_AHEAD_US = 70 * DAY_US
"""More than the scheduler makes: it has nothing to cut, and so nobody to wait for, while a long move goes on."""

# A move may take hours. Each of its statements has a deadline, and a dead machine is noticed as ever.
_PATIENT = (
    "SET LOCAL statement_timeout = '30min'",
    "SET LOCAL idle_in_transaction_session_timeout = '24h'",
)

_SERIES = """
    SELECT s.series_id, s.device_no, s.type, s.unit, s.kind::int4, n.recorded_us, uuid_send(n.event_key), n.number,
        n.text, CASE WHEN n.recorded_us IS NOT NULL THEN greatest(n.received_us, s.received_us) END
    FROM series s LEFT JOIN LATERAL (
        SELECT e.recorded_us, e.event_key, e.number, e.text, e.received_us
        FROM telemetry_events e
        WHERE e.series_id = s.series_id AND e.tenant_no = s.tenant_no
        ORDER BY e.recorded_us DESC, e.event_key DESC
        LIMIT 1
    ) n ON true
    WHERE s.tenant_no = %s ORDER BY s.series_id
"""
_READINGS = """
    SELECT series_id, recorded_us, uuid_send(event_key), received_us, stored_us, number, text, event_text
    FROM telemetry_events WHERE tenant_no = %s AND series_id = ANY (%s) ORDER BY series_id, recorded_us, event_key
"""
_CLAIMS = "SELECT uuid_send(event_key), meaning FROM event_ledger WHERE tenant_no = %s ORDER BY event_key"
_LETTERS = """
    SELECT uuid_send(event_key), meaning, reason, detail, event_text, device_id, received_us, body, state
    FROM dead_letters WHERE tenant_no = %s ORDER BY id
"""
_COUNTS = """
    SELECT * FROM (
        SELECT NULL::int8, entry, code, sum(count)::int8 AS events FROM book_totals WHERE tenant_no = %(tenant)s
        GROUP BY entry, code
        UNION ALL SELECT minute_us, entry, code, sum(count)::int8 FROM book_counts WHERE tenant_no = %(tenant)s
        GROUP BY minute_us, entry, code
    ) c WHERE events <> 0 ORDER BY 1 NULLS FIRST, 2, 3
"""
_ANNOUNCED = """
    SELECT NULL::int8, sum(total)::int8 FROM (
        SELECT max(total) AS total FROM gate_totals WHERE tenant_no = %(tenant)s GROUP BY incarnation
    ) t HAVING count(*) > 0
    UNION ALL SELECT minute_us, sum(total)::int8 FROM (
        SELECT minute_us, max(total) AS total FROM gate_minutes WHERE tenant_no = %(tenant)s
        GROUP BY minute_us, incarnation
    ) m GROUP BY minute_us ORDER BY 1 NULLS FIRST
"""
_HEAD = """
    SELECT c.last_value, p.start, p.horizon FROM store_clock c, partition_heads p WHERE p.parent = 'event_ledger'
"""

_TAKE_SERIES = """
    INSERT INTO series (tenant_no, device_no, type, unit, kind, received_us)
    SELECT %s, w.device_no, w.type, w.unit, w.kind, w.received_us
    FROM unnest(%s::int4[], %s::text[], %s::text[], %s::int4[], %s::int8[]) WITH ORDINALITY
        AS w(device_no, type, unit, kind, received_us, place)
    ORDER BY w.place RETURNING device_no, type, unit, kind::int4, series_id
"""
_TAKE_READINGS = """
    INSERT INTO telemetry_events
        (tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text)
    SELECT %s, w.* FROM unnest(
        %s::int4[], %s::int8[], %s::uuid[], %s::int8[], %s::int8[], %s::float8[], %s::text[], %s::text[]
    ) AS w
"""
_TAKE_CLAIMS = """
    INSERT INTO event_ledger (tenant_no, bucket, event_key, meaning)
    SELECT %s, w.* FROM unnest(%s::int4[], %s::uuid[], %s::int8[]) AS w
"""
_TAKE_LETTERS = """
    INSERT INTO dead_letters
        (tenant_no, event_key, meaning, reason, detail, event_text, device_id, received_us, body, state)
    SELECT %s, w.event_key, w.meaning, w.reason, w.detail, w.event_text, w.device_id, w.received_us, w.body, w.state
    FROM unnest(
        %s::uuid[], %s::int8[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int8[], %s::text[], %s::text[]
    ) WITH ORDINALITY
        AS w(event_key, meaning, reason, detail, event_text, device_id, received_us, body, state, place)
    ORDER BY w.place
"""
_TAKE_TOTALS = """
    INSERT INTO book_totals (tenant_no, slot, entry, code, count)
    SELECT %s, 0, w.* FROM unnest(%s::text[], %s::text[], %s::int8[]) AS w
"""
_TAKE_COUNTS = """
    INSERT INTO book_counts (tenant_no, slot, minute_us, entry, code, count)
    SELECT %s, 0, w.* FROM unnest(%s::int8[], %s::text[], %s::text[], %s::int8[]) AS w
"""
_TAKE_GATE_TOTALS = """
    INSERT INTO gate_totals (tenant_no, slot, incarnation, total)
    SELECT %s, 0, w.* FROM unnest(%s::uuid[], %s::int8[]) AS w
"""
_TAKE_GATE_MINUTES = """
    INSERT INTO gate_minutes (tenant_no, slot, minute_us, incarnation, total)
    SELECT %s, 0, w.* FROM unnest(%s::int8[], %s::uuid[], %s::int8[]) AS w
"""
_FORWARD = "SELECT setval('store_clock', greatest(%s, (SELECT last_value FROM store_clock)))"


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the databases as those of the port."""
    try:
        yield
    except IntegrityError as error:
        raise MoveRefusedError(f"the tenant contradicts itself, or what is here: {error.orig}") from error
    except DBAPIError as error:
        raise UnavailableError(str(error.orig)) from error
    except KeyError as error:
        raise MoveRefusedError(f"the tenant contradicts itself: it has no number {error}") from error
    except (psycopg.Error, UnicodeError, OverflowError) as error:
        told = as_store_error(error)
        if isinstance(told, DataError):
            raise MoveRefusedError(f"the tenant contradicts itself, or cannot be kept here: {told}") from error
        raise told from error


@contextmanager
def _as_writer(url: str, placement: Placement, tenant: TenantNo | None) -> Iterator[Connection]:
    """A patient transaction of the writer role on the tables of a placement that sees one tenant; `tenant` may be told
    later. Ends in a rollback.
    """
    with psycopg.connect(url, **CONNECT) as connection:
        arrays.register(connection.adapters)
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        for statement in _PATIENT:
            connection.execute(statement)
        _look_in(connection, placement)
        if tenant is not None:
            _see(connection, tenant)
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()


def _schema(placement: Placement) -> str:
    return placement.schema or TELEMETRY_SCHEMA


def _look_in(connection: Connection, placement: Placement) -> None:
    connection.execute("SELECT set_config('search_path', %s, true)", (Identifier(_schema(placement)).as_string(),))


def _see(connection: Connection, tenant: TenantNo) -> None:
    connection.execute("SELECT set_config('app.tenants', %s, true)", (str(tenant),))


@contextmanager
def _as_api(url: str) -> Iterator[SqlConnection]:
    """A patient transaction of the API role. Ends in a rollback."""
    made = engine(url, size=1, isolation_level="REPEATABLE READ")
    try:
        with made.connect() as connection:
            for statement in _PATIENT:
                connection.execute(text(statement))
            yield connection
    finally:
        made.dispose()


def make_room(writer_url: str, placement: Placement, now_us: int) -> None:
    """Let partitions be made now rather than during the move. Raises UnavailableError."""
    with _told(), psycopg.connect(writer_url, **CONNECT) as connection:
        _look_in(connection, placement)
        connection.execute("SELECT ensure_partitions(%s, %s)", (now_us, PARTITIONS_AHEAD_US))


def tenant_named(api_url: str, tenant_id: str) -> Tenant:
    """Raises MoveRefusedError if there is no such tenant, UnavailableError."""
    with _told(), _as_api(api_url) as registry:
        return find_tenant(registry, tenant_id)


def settled(writer_url: str, tenant: Tenant) -> StoreBooks:
    """The store's books of a tenant. Raises UnavailableError."""
    with _told(), Session.connect(writer_url, **CONNECT) as connection:
        connection.schema = _schema(tenant.placement)
        return counters.read(connection, tenant.no, None, None)


class DatabaseSource:
    """A tenant of a database: telemetry as of one snapshot, and the registry as of a later one.

    The caller makes sure that nothing of the tenant is in flight, before and after.
    """

    def __init__(self, api_url: str, writer_url: str, tenant: Tenant, *, pepper: str, now_us: int) -> None:
        """`writer_url` is of the database where the tenant is placed. Raises UnavailableError."""
        self._api_url = api_url
        self._tenant = tenant.no
        with _told():
            self._open = ExitStack()
            # The snapshot is that of the first look.
            self._telemetry = self._open.enter_context(_as_writer(writer_url, tenant.placement, self._tenant))
            told = self._telemetry.execute(_HEAD).fetchone()
        clock, start, horizon = told or (0, 0, 0)
        weeks = (start, horizon) if start < horizon else (0, 0)
        self.head = head_of(tenant, pepper=pepper, exported_us=now_us, stored_until_us=clock, weeks=weeks)

    def parts(self) -> Iterator[tuple[str, Rows]]:
        # Later than telemetry: whatever device an event names is there.
        with _told(), _as_api(self._api_url) as registry:
            see_only(registry, self._tenant, None)
            yield from read_parts(registry, self._tenant)
        named = {"tenant": self._tenant}
        series: list[int] = []
        for rows in self._some("series", _SERIES, (self._tenant,), READINGS_AT_ONCE):
            series += [row.no for row in rows]
            yield "series", rows
        for start in range(0, len(series), SERIES_AT_ONCE):
            of_these = (self._tenant, int4s(series[start : start + SERIES_AT_ONCE]))
            for rows in self._some("readings", _READINGS, of_these, READINGS_AT_ONCE):
                yield "readings", rows
        for part, query, values, at_once in (
            ("claims", _CLAIMS, (self._tenant,), READINGS_AT_ONCE),
            ("letters", _LETTERS, (self._tenant,), LETTERS_AT_ONCE),
            ("counts", _COUNTS, named, READINGS_AT_ONCE),
            ("announced", _ANNOUNCED, named, READINGS_AT_ONCE),
        ):
            for rows in self._some(part, query, values, at_once):
                yield part, rows

    def _some(
        self, part: str, query: LiteralString, values: Sequence[Any] | Mapping[str, Any], at_once: int
    ) -> Iterator[list[Any]]:
        """The rows of a query, kept by the server until they are fetched."""
        with _told(), self._telemetry.cursor("moving", binary=True) as cursor:
            cursor.execute(query, values)
            while rows := cursor.fetchmany(at_once):
                yield [PARTS[part](*row) for row in rows]

    def close(self) -> None:
        """End the snapshot."""
        self._open.close()


class DatabaseSink:
    """Takes a tenant into a database: telemetry in one transaction, the registry in another that commits after it.

    Should only the first be committed, rows lie under a number that no tenant has or will have: nobody sees them.
    """

    def __init__(self, api_url: str, writer_url: str, placement: Placement = SHARED) -> None:
        """`writer_url` is of the database of the placement. Raises UnavailableError."""
        self._placement = placement
        with _told(), ExitStack() as opened:
            self._registry = opened.enter_context(_as_api(api_url))
            self._connection = opened.enter_context(_as_writer(writer_url, placement, None))
            self._open = opened.pop_all()
        self._intake: RegistryIntake
        self._stored_until_us = 0
        self._dropped = range(0)
        self._series: dict[int, int] = {}
        self._gate = os.urandom(16)
        self._taking: dict[str, Callable[[Rows], None]] = {
            "series": self._take_series,
            "readings": self._take_readings,
            "claims": self._take_claims,
            "letters": self._take_letters,
            "counts": self._take_counts,
            "announced": self._take_announced,
        }

    def begin(self, head: Head) -> None:
        with _told():
            told = self._connection.execute(_HEAD).fetchone()
            _, start, horizon = told or (0, 0, 0)
            self._dropped = range(start, horizon)
            lower, upper = head.forgotten_weeks
            if lower < upper and not (start <= lower and upper <= horizon):
                raise MoveRefusedError(
                    "where the tenant comes from, ids of weeks are known no more that this installation would take for"
                    " new: it would store such events a second time"
                )
            self._intake = RegistryIntake(self._registry, head, placement=self._placement, see=see_only)
            _see(self._connection, self._intake.tenant)
        self._stored_until_us = head.stored_until_us

    def take(self, part: str, rows: Rows) -> None:
        with _told():
            if not self._intake.take(part, rows) and rows:
                self._taking[part](rows)

    def _run(self, query: LiteralString, *columns: object) -> Cursor[Any]:
        return self._connection.execute(query, (self._intake.tenant, *columns), binary=True)

    def _take_series(self, rows: Rows) -> None:
        devices = self._intake.devices
        numbers = {(devices[row.device_no], row.type, row.unit, row.kind): row.no for row in rows}
        taken = self._run(
            _TAKE_SERIES,
            int4s([devices[row.device_no] for row in rows]),
            texts([row.type for row in rows]),
            texts([row.unit for row in rows]),
            int4s([row.kind for row in rows]),
            int8s([row.received_us or 0 for row in rows]),
        )
        self._series.update((numbers[tuple(key)], series) for *key, series in taken)

    def _take_readings(self, rows: Rows) -> None:
        series, recorded, keys, received, stored, numbers, strings, event_texts = zip(*rows, strict=True)
        self._run(
            _TAKE_READINGS,
            int4s([self._series[number] for number in series]),
            int8s(recorded),
            uuids(keys),
            int8s(received),
            int8s(stored),
            float8s(numbers),
            texts(strings),
            texts(event_texts),
        )

    def _take_claims(self, rows: Rows) -> None:
        # An id of a week that was dropped dies here whether it is claimed or not.
        claims = [(bucket_of(key), key, meaning) for key, meaning in rows]
        kept = [claim for claim in claims if claim[0] not in self._dropped]
        if kept:
            buckets, keys, meanings = zip(*kept, strict=True)
            self._run(_TAKE_CLAIMS, int4s(buckets), uuids(keys), int8s(meanings))

    def _take_letters(self, rows: Rows) -> None:
        keys, meanings, reasons, details, event_texts, devices, received, bodies, states = zip(*rows, strict=True)
        self._run(
            _TAKE_LETTERS,
            *(uuids(keys), int8s(meanings), texts(reasons), texts(details), texts(event_texts), texts(devices)),
            *(int8s(received), texts(bodies), texts(states)),
        )

    def _take_counts(self, rows: Rows) -> None:
        totals = [row[1:] for row in rows if row.minute_us is None]
        minutes = [row for row in rows if row.minute_us is not None]
        if totals:
            entries, codes, counts = zip(*totals, strict=True)
            self._run(_TAKE_TOTALS, texts(entries), texts(codes), int8s(counts))
        if minutes:
            starts, entries, codes, counts = zip(*minutes, strict=True)
            self._run(_TAKE_COUNTS, int8s(starts), texts(entries), texts(codes), int8s(counts))

    def _take_announced(self, rows: Rows) -> None:
        # As of one gate that is no more: whoever goes on counting for the tenant here begins anew.
        totals = [row.total for row in rows if row.minute_us is None]
        minutes = [row for row in rows if row.minute_us is not None]
        if totals:
            self._run(_TAKE_GATE_TOTALS, uuids([self._gate] * len(totals)), int8s(totals))
        if minutes:
            starts, sums = zip(*minutes, strict=True)
            self._run(_TAKE_GATE_MINUTES, int8s(starts), uuids([self._gate] * len(minutes)), int8s(sums))

    def commit(self) -> None:
        with _told():
            # What is stored from now on was stored later.
            self._connection.execute(_FORWARD, (self._stored_until_us,))
            self._connection.commit()
            self._registry.commit()

    def close(self) -> None:
        """What is not committed is undone."""
        self._open.close()
