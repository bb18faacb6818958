"""Moving a tenant from or to a data folder, whose lock the caller holds: no server runs, nothing is in flight."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from ...model.errors import UnavailableError
from ...model.events import TenantNo
from ...model.parcel import PARTS, Head, Rows
from ...ports.moving import MoveRefusedError
from ..sql.moving import RegistryIntake, find_tenant, head_of, read_parts
from .append import insert_many
from .dbapi import DRIVER
from .files import REGISTRY, TELEMETRY, open_beside

READINGS_AT_ONCE = 2_000
LETTERS_AT_ONCE = 5
"""A letter has a body, which may be large."""

_SERIES = """
    SELECT s.series_id, s.device_no, s.type, s.unit, s.kind, n.recorded_us, n.event_key, n.number, n.text, n.received_us
    FROM series s LEFT JOIN series_latest n ON n.series_id = s.series_id AND n.tenant_no = s.tenant_no
    WHERE s.tenant_no = ? ORDER BY s.series_id
"""
_READING = "series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text"
_READINGS = f"SELECT {_READING} FROM telemetry_events WHERE tenant_no = ? ORDER BY series_id, recorded_us, event_key"
_CLAIMS = "SELECT event_key, meaning FROM event_ledger WHERE tenant_no = ? ORDER BY event_key"
_LETTERS = """
    SELECT event_key, meaning, reason, detail, event_text, device_id, received_us, body, state
    FROM dead_letters WHERE tenant_no = ? ORDER BY id
"""
_COUNTS = """
    SELECT NULL, entry, code, count FROM book_totals WHERE tenant_no = ?1 AND count <> 0
    UNION ALL SELECT minute_us, entry, code, count FROM book_counts WHERE tenant_no = ?1 AND count <> 0 ORDER BY 1, 2, 3
"""
_ANNOUNCED = """
    SELECT NULL, sum(total) FROM gate_totals WHERE tenant_no = ?1 GROUP BY tenant_no
    UNION ALL SELECT minute_us, sum(total) FROM gate_minutes WHERE tenant_no = ?1 GROUP BY minute_us ORDER BY 1
"""
_CLOCK = "SELECT max(stored_us, (SELECT ifnull(max(stored_us), 0) FROM telemetry_recent)) FROM telemetry_merge"
_PARTS = (
    ("series", _SERIES, READINGS_AT_ONCE),
    ("readings", _READINGS, READINGS_AT_ONCE),
    ("claims", _CLAIMS, READINGS_AT_ONCE),
    ("letters", _LETTERS, LETTERS_AT_ONCE),
    ("counts", _COUNTS, READINGS_AT_ONCE),
    ("announced", _ANNOUNCED, READINGS_AT_ONCE),
)


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the databases as those of the port."""
    try:
        yield
    except (IntegrityError, apsw.ConstraintError) as error:
        raise MoveRefusedError(f"the tenant contradicts itself, or what is here: {error}") from error
    except KeyError as error:
        raise MoveRefusedError(f"the tenant contradicts itself: it has no number {error}") from error
    except (OverflowError, UnicodeError, apsw.MismatchError) as error:
        raise MoveRefusedError(f"the tenant cannot be kept: {error}") from error
    except (DBAPIError, apsw.Error) as error:
        raise UnavailableError(str(error)) from error


class FolderSource:
    """A tenant of a data folder. The lock is what makes two databases one snapshot."""

    def __init__(self, folder: Path, tenant_id: str, *, pepper: str, now_us: int) -> None:
        """Raises MoveRefusedError if there is no such tenant."""
        self._folder = folder
        with _told(), _registry(folder) as registry:
            tenant = find_tenant(registry, tenant_id)
        self._tenant = tenant.no
        with _told(), closing(open_beside(folder / TELEMETRY)) as telemetry:
            clock: Any = telemetry.execute(_CLOCK).fetchone()
        self.head = head_of(tenant, pepper=pepper, exported_us=now_us, stored_until_us=clock[0], weeks=(0, 0))

    def parts(self) -> Iterator[tuple[str, Rows]]:
        with _told(), _registry(self._folder) as registry:
            yield from read_parts(registry, self._tenant)
        with _told(), closing(open_beside(self._folder / TELEMETRY)) as telemetry:
            for part, statement, at_once in _PARTS:
                rows = iter(telemetry.execute(statement, (self._tenant,)))
                while some := list(islice(rows, at_once)):
                    yield part, [PARTS[part](*row) for row in some]


@contextmanager
def _registry(folder: Path) -> Iterator[Connection]:
    engine = create_engine(URL.create(DRIVER, database=str(folder / REGISTRY)), connect_args={"writing": False})
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


class FolderSink:
    """Takes a tenant into a data folder, in one transaction over both of its databases.

    SQLite commits several files as one with rollback journals, not with write-ahead logs: the files are without logs
    until a server opens them again.
    """

    def __init__(self, folder: Path) -> None:
        url = URL.create(DRIVER, database=str(folder / TELEMETRY))
        with _told():
            self._engine = create_engine(url, connect_args={"writing": True})
            self._sql = self._engine.connect()
            driver: Any = self._sql.connection.driver_connection
            self._connection: apsw.Connection = driver.apsw_connection
            self._connection.execute("ATTACH ? AS registry", (str(folder / REGISTRY),))
            for schema in ("main", "registry"):
                mode: Any = self._connection.execute(f"PRAGMA {schema}.journal_mode=DELETE").fetchone()
                if mode[0] != "delete":
                    raise UnavailableError(f"another program has a database of {folder} open")
                self._connection.execute(f"PRAGMA {schema}.synchronous=FULL")
            self._connection.execute("PRAGMA cache_size=-65536")
        self._intake: RegistryIntake
        self._series: dict[int, int] = {}
        self._stored_until_us = 0
        self._taking: dict[str, Callable[[TenantNo, Rows], None]] = {
            "series": self._take_series,
            "readings": self._take_readings,
            "claims": self._take_claims,
            "letters": self._take_letters,
            "counts": self._take_counts,
            "announced": self._take_announced,
        }
        self._gate = os.urandom(16)

    def begin(self, head: Head) -> None:
        if head.forgotten_weeks[0] < head.forgotten_weeks[1]:
            raise MoveRefusedError(
                "where the tenant comes from, ids of past weeks are known no more; a data folder knows all ids for"
                " good, and would store such events a second time"
            )
        with _told():
            self._intake = RegistryIntake(self._sql, head)
        self._stored_until_us = head.stored_until_us

    def take(self, part: str, rows: Rows) -> None:
        with _told():
            if not self._intake.take(part, rows):
                self._taking[part](self._intake.tenant, rows)

    def _take_series(self, tenant: TenantNo, rows: Rows) -> None:
        connection, latest = self._connection, []
        for row in rows:
            device = self._intake.devices[row.device_no]
            connection.execute(
                "INSERT INTO series (tenant_no, device_no, type, unit, kind) VALUES (?,?,?,?,?)",
                (tenant, device, row.type, row.unit, row.kind),
            )
            number = self._series[row.no] = connection.last_insert_rowid()
            if row.recorded_us is not None:
                value = (row.recorded_us, row.event_key, row.number, row.text, row.received_us)
                latest.append((number, tenant, device, *value))
        insert_many(
            connection,
            "INSERT INTO series_merged (series_id, tenant_no, device_no, recorded_us, event_key, number, text,"
            " received_us) VALUES ",
            "(?,?,?,?,?,?,?,?)",
            latest,
        )

    def _take_readings(self, tenant: TenantNo, rows: Rows) -> None:
        series = self._series
        insert_many(
            self._connection,
            f"INSERT INTO telemetry_sorted (tenant_no, {_READING}) VALUES ",
            "(?,?,?,?,?,?,?,?,?)",
            [(tenant, series[row[0]], *row[1:]) for row in rows],
        )

    def _take_claims(self, tenant: TenantNo, rows: Rows) -> None:
        insert = "INSERT INTO event_ledger (tenant_no, event_key, meaning) VALUES "
        insert_many(self._connection, insert, "(?,?,?)", [(tenant, *row) for row in rows])

    def _take_letters(self, tenant: TenantNo, rows: Rows) -> None:
        self._connection.executemany(
            "INSERT INTO dead_letters (tenant_no, event_key, meaning, reason, detail, event_text, device_id,"
            " received_us, body, state) VALUES (?,?,?,?,?,?,?,?,?,?)",
            [(tenant, *row) for row in rows],
        )

    def _take_counts(self, tenant: TenantNo, rows: Rows) -> None:
        for minute_us, *count in rows:
            if minute_us is None:
                self._connection.execute("INSERT INTO book_totals VALUES (?,?,?,?)", (tenant, *count))
            else:
                self._connection.execute("INSERT INTO book_counts VALUES (?,?,?,?,?)", (tenant, minute_us, *count))

    def _take_announced(self, tenant: TenantNo, rows: Rows) -> None:
        # As of one gate that is no more: whoever goes on counting for the tenant here begins anew.
        for minute_us, total in rows:
            if minute_us is None:
                self._connection.execute("INSERT INTO gate_totals VALUES (?,?,?)", (tenant, self._gate, total))
            else:
                values = (tenant, minute_us, self._gate, total)
                self._connection.execute("INSERT INTO gate_minutes VALUES (?,?,?,?)", values)

    def commit(self) -> None:
        with _told():
            # What is stored from now on was stored later.
            forward = "UPDATE telemetry_merge SET stored_us = max(stored_us, ?)"
            self._connection.execute(forward, (self._stored_until_us,))
            self._sql.commit()

    def close(self) -> None:
        """What is not committed is undone."""
        with _told():
            self._sql.close()
            self._engine.dispose()
