"""Copies of the databases of a data folder, taken while others write, and proofs that a copy is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

STEP_PAGES = 4096

Progress = Callable[[int, int], None]
"""Told (pages copied, pages in all)."""


class DamagedCopyError(Exception):
    """A copy is not what it was copied from, or was damaged before; the text says how."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What one snapshot of a database holds.

    Attributes:
        rows: table → number of rows.
        books: tenant number → entry → count, of telemetry alone: announced, stored, duplicate, dead, ledger.
    """

    rows: Mapping[str, int]
    books: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    # Not as read-only: the last reader of a file in WAL mode may have to recover or create its -shm.
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(10_000)
        connection.execute("PRAGMA query_only=ON")
        yield connection


@contextmanager
def _snapshot(path: Path) -> Iterator[apsw.Connection]:
    """A connection whose every read is of one instant."""
    with _opened(path) as connection:
        connection.execute("BEGIN")
        try:
            # A transaction begins at its first read, not at BEGIN.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            yield connection
        finally:
            connection.execute("ROLLBACK")


def _contents(connection: apsw.Connection) -> Contents:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name")]
    rows = {name: int(next(connection.execute(f'SELECT count(*) FROM "{name}"'))[0]) for name in names}
    return Contents(rows, _books(connection) if "event_ledger" in rows else {})


def _books(connection: apsw.Connection) -> dict[int, dict[str, int]]:
    books: dict[int, dict[str, int]] = {}
    for tenant, entry, count in (
        *connection.execute("SELECT tenant_no, entry, sum(count) FROM book_totals GROUP BY tenant_no, entry"),
        *connection.execute("SELECT tenant_no, 'announced', sum(total) FROM gate_totals GROUP BY tenant_no"),
        *connection.execute("SELECT tenant_no, 'ledger', count(*) FROM event_ledger GROUP BY tenant_no"),
    ):
        books.setdefault(int(tenant), {})[str(entry)] = int(count)
    return books


def copy_database(source: Path, target: Path, progress: Progress | None = None) -> Contents:
    """Copy `source`, as it is at one instant, to the new file `target`; what both hold, proven equal.

    Whatever was committed before the call is in the copy. Others may go on writing meanwhile; the log of `source`
    grows until the copy is done.

    Raises:
        DamagedCopyError: the source is damaged, or the copy differs.
        apsw.Error: the files cannot be read or written.
    """
    with _snapshot(source) as origin:
        with closing(apsw.Connection(str(target))) as copy:
            copy.execute("PRAGMA synchronous=FULL")
            with copy.backup("main", origin, "main") as backup:
                while not backup.done:
                    backup.step(STEP_PAGES)
                    if progress is not None:
                        progress(backup.page_count - backup.remaining, backup.page_count)
            # One file without a log beside it; the server turns the log on again when it opens the file.
            copy.execute("PRAGMA journal_mode=DELETE")
        expected = _contents(origin)
    target.chmod(0o600)
    prove(target, expected)
    return expected


def prove(path: Path, expected: Contents | None = None) -> Contents:
    """What the undamaged database `path` holds.

    Raises:
        DamagedCopyError: SQLite finds damage, or it holds something else than `expected`.
    """
    try:
        with _snapshot(path) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
            if found != ["ok"]:
                raise DamagedCopyError(f"{path.name} is damaged: {'; '.join(found)}")
            contents = _contents(connection)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise DamagedCopyError(f"{path.name} is damaged: {error}") from error
    if expected is not None and contents != expected:
        raise DamagedCopyError(f"{path.name} holds {contents}, expected {expected}")
    return contents


def gaps(contents: Contents) -> list[str]:
    """Where the books of a snapshot do not add up, in sentences; none is as it should be."""
    found = []
    for tenant, books in contents.books.items():
        settled = sum(books.get(entry, 0) for entry in ("stored", "duplicate", "dead"))
        if settled > books.get("announced", 0) or books.get("stored", 0) != books.get("ledger", 0):
            found.append(f"the books of tenant number {tenant} do not add up: {dict(books)}")
    return found


def prove_together(telemetry: Path, registry: Path) -> None:
    """Every tenant and device of `telemetry` is in `registry`. Raises DamagedCopyError."""
    with _opened(telemetry) as events, _opened(registry) as names:
        used = set(events.execute("SELECT DISTINCT tenant_no, device_no FROM series"))
        known = set(names.execute("SELECT tenant_no, device_no FROM devices"))
    if used - known:
        raise DamagedCopyError(f"{registry.name} does not know {len(used - known)} devices of {telemetry.name}")


def quick_check(path: Path) -> str | None:
    """What a quick look finds wrong with a database that may be in use; None for nothing."""
    try:
        with _opened(path) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except apsw.Error as error:
        return f"{type(error).__name__}: {error}"
    return None if found == ["ok"] else "; ".join(found)


def revision(path: Path) -> str | None:
    """The schema's revision, None where there is no schema yet."""
    with _opened(path) as connection:
        if not list(connection.execute("SELECT 1 FROM sqlite_schema WHERE name='alembic_version'")):
            return None
        return next((str(row[0]) for row in connection.execute("SELECT version_num FROM alembic_version")), None)


def sqlite_version() -> tuple[str, int]:
    """The library's version as text and as number (3.51.3 = 3051003)."""
    return apsw.sqlite_lib_version(), apsw.SQLITE_VERSION_NUMBER
