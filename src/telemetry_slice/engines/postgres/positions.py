"""How far a server has come in the log of its cluster, and what a read there has seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from sqlalchemy import Connection, text

# All of it is open to every role.
_OF_PRIMARY: LiteralString = """
    SELECT system_identifier, ('x' || substr(pg_walfile_name(lsn), 1, 8))::bit(32)::int8, (lsn - '0/0')::int8
    FROM pg_control_system(), pg_current_wal_flush_lsn() AS lsn
"""
_OF_STANDBY: LiteralString = """
    SELECT system_identifier, greatest(timeline_id, min_recovery_end_timeline), (pg_last_wal_replay_lsn() - '0/0')::int8
    FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery() WHERE pg_is_in_recovery()
"""
_FLUSHED = text("SELECT (pg_current_wal_flush_lsn() - '0/0')::int8")
_REPLAYED = text("SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() - '0/0' >= :lsn")
# A commit can be seen a moment before its record counts as replayed. If more was received than that, a record may be in
# this state: one byte more asks others for the whole of it.
_SEEN_ON_STANDBY = text("""
    SELECT (replayed - '0/0')::int8 + (replayed IS DISTINCT FROM pg_last_wal_receive_lsn())::int,
        pg_snapshot_xmax(pg_current_snapshot())::text::int8
    FROM pg_last_wal_replay_lsn() AS replayed
""")
_DECIDED = text("""
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8 >= :xmax, current_setting('synchronous_standby_names')
""")


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in the log: bytes since its beginning, of one timeline of one cluster."""

    cluster: int
    timeline: int
    lsn: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What a read has seen.

    Attributes:
        lsn: a standby that has replayed as much shows as much.
        xmax: no transaction from this number on was seen; 0 when the primary answered, where nothing is to be checked.
    """

    lsn: int = 0
    xmax: int = 0

    @classmethod
    def parse(cls, sight: str) -> Sight:
        """What `str` has made of one; the empty text is the sight of nothing."""
        return cls(*map(int, sight.split("."))) if sight else cls()

    def __str__(self) -> str:
        return f"{self.lsn}.{self.xmax}"


def of_primary(connection: psycopg.Connection) -> LogPosition:
    """Up to where the log of a primary is on disk: every transaction that anyone could see lies before.

    Raises psycopg.Error when it is none.
    """
    with connection.transaction():
        return LogPosition(*_one(connection, _OF_PRIMARY))


def of_standby(connection: psycopg.Connection) -> LogPosition | None:
    """How far a standby has replayed; None when it is no standby (any more)."""
    with connection.transaction():
        row = connection.execute(_OF_STANDBY).fetchone()
    return None if row is None else LogPosition(*row)


def _one(connection: psycopg.Connection, query: LiteralString) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    if row is None:
        raise psycopg.OperationalError("an answer without rows")
    return row


def has_replayed(connection: Connection, lsn: int) -> bool:
    """Whether a standby shows all up to `lsn` to a transaction that begins from now on; none is open."""
    isolation = connection.get_execution_options()["isolation_level"]
    # Without a transaction of its own it is one round trip.
    connection.execution_options(isolation_level="AUTOCOMMIT")
    replayed = connection.execute(_REPLAYED, {"lsn": lsn}).scalar_one()
    connection.rollback()
    connection.execution_options(isolation_level=isolation)
    return bool(replayed)


def sight_on_standby(connection: Connection) -> Sight:
    """What the open transaction has seen on a standby."""
    return Sight(*connection.execute(_SEEN_ON_STANDBY).one())


def sight_on_primary(connection: Connection) -> Sight:
    """What the open transaction has seen on the primary."""
    return Sight(connection.execute(_FLUSHED).scalar_one())


def shows_all_before(connection: Connection, xmax: int, *, patient: bool) -> bool:
    """Whether the open transaction on the primary shows what standbys have shown of the transactions before `xmax`.

    A commit reaches standbys through the log, and is seen on the primary only after the process that commits has gone
    on: a moment later, or, with synchronous standbys, when those have it. Not `patient`: what is still under way after
    that moment has not been committed at all.
    """
    decided, synchronous = connection.execute(_DECIDED, {"xmax": xmax}).one()
    return bool(decided or not (patient or synchronous))
