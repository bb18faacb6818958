"""The databases of a data folder, and opening telemetry.db: one SQLite library, one set of pragmas."""

from __future__ import annotations

from pathlib import Path

import apsw

TELEMETRY = "telemetry.db"
REGISTRY = "registry.db"

SAFE_SQLITE = 3_051_003
"""The first version without the WAL-reset corruption bug (sqlite.org/wal.html#walresetbug)."""


def open_writer(path: Path) -> apsw.Connection:
    """The one writing connection. Raises RuntimeError with an SQLite that may corrupt a file in WAL mode."""
    if apsw.SQLITE_VERSION_NUMBER < SAFE_SQLITE:
        raise RuntimeError(f"SQLite {apsw.sqlite_lib_version()} is too old: 3.51.3 is the oldest safe one")
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(10_000)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-65536",
        "wal_autocheckpoint=0",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_beside(path: Path) -> apsw.Connection:
    """A second connection beside the writer's, for planning and checkpoints."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(10_000)
    connection.execute("PRAGMA synchronous=FULL")
    return connection
