"""apsw as a DB-API 2.0 module (PEP 249) and as the SQLAlchemy dialect `sqlite+apsw`.

Python's own `sqlite3` may bring another SQLite library into the process, and two libraries on one file undo each
other's locks. This module is the one way by which SQLAlchemy and Alembic reach SQLite.

A transaction begins with the first statement (`BEGIN IMMEDIATE` on a writing connection, so that nobody fails half-way
for want of the write lock; `BEGIN` on a reading one) and comprises DDL. Rows are fetched whole by `execute`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import apsw
from sqlalchemy import pool
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine.interfaces import ConnectArgsType, DBAPIConnection, DBAPIModule, IsolationLevel
from sqlalchemy.engine.url import URL

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"
sqlite_version = apsw.sqlite_lib_version()
sqlite_version_info = tuple(int(part) for part in sqlite_version.split("."))

DRIVER = "sqlite+apsw"
"""The scheme of SQLAlchemy's URLs; known once this module is imported."""

BUSY_TIMEOUT_MS = 5_000
Binary = bytes
Parameters = Sequence[Any] | Mapping[str, Any]


class Warning(Exception):  # noqa: A001, N818 - PEP 249 fixes the name
    """An important warning."""


class Error(Exception):
    """The base of every error of this module."""


class InterfaceError(Error):
    """The interface was misused, not the database."""


class DatabaseError(Error):
    """The database failed."""


class DataError(DatabaseError):
    """A value does not fit."""


class OperationalError(DatabaseError):
    """Nobody's fault in the program: locked, full, unreadable."""


class IntegrityError(DatabaseError):
    """A constraint was broken."""


class InternalError(DatabaseError):
    """SQLite is confused."""


class ProgrammingError(DatabaseError):
    """The statement or its use is wrong."""


class NotSupportedError(DatabaseError):
    """SQLite cannot do this."""


_MAPPED: tuple[tuple[tuple[type[Exception], ...], type[Error]], ...] = (
    ((apsw.ConstraintError,), IntegrityError),
    ((apsw.MismatchError, apsw.RangeError, apsw.TooBigError, OverflowError, UnicodeError), DataError),
    ((apsw.InternalError,), InternalError),
    (
        (
            apsw.BindingsError,
            apsw.MisuseError,
            apsw.ThreadingViolationError,
            apsw.ConnectionClosedError,
            apsw.CursorClosedError,
            TypeError,
        ),
        ProgrammingError,
    ),
    ((apsw.CorruptError, apsw.NotADBError, apsw.FormatError), DatabaseError),
    ((apsw.Error, OSError, MemoryError), OperationalError),
)


def _mapped(error: Exception) -> Error | None:
    for kinds, name in _MAPPED:
        if isinstance(error, kinds):
            return name(f"{type(error).__name__}: {error}")
    return None


class _Mapping:
    """Turns apsw's errors into PEP 249's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            mapped = _mapped(error)
            if mapped is not None:
                raise mapped from error


_mapping = _Mapping()


class Cursor:
    """A PEP 249 cursor. `rowcount` is -1 for statements that change no rows."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._cursor = connection.apsw_connection.cursor()
        # The description is gone once a statement has run to its end, so it is taken when the statement starts.
        self._cursor.exec_trace = self._describe
        self._rows: Iterator[tuple[Any, ...]] = iter(())

    def _describe(self, cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
        described = cursor.get_description()
        self.description = tuple((name, kind, None, None, None, None, None) for name, kind in described) or None
        return True

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Run one statement and keep its rows."""
        with _mapping:
            self.connection.begin()
            before = self.connection.apsw_connection.total_changes()
            self.description = None
            self._rows = iter(self._cursor.execute(sql, parameters or None).fetchall())
            self._count(before)
            if self.rowcount > 0:
                # Unlike total_changes(), changes() leaves out what foreign keys and triggers did.
                self.rowcount = self.connection.apsw_connection.changes()
        return self

    def executemany(self, sql: str, parameters: Sequence[Parameters]) -> Cursor:
        """Run one statement for each of `parameters`."""
        with _mapping:
            self.connection.begin()
            before = self.connection.apsw_connection.total_changes()
            self.description = None
            self._rows = iter(self._cursor.executemany(sql, parameters).fetchall())
            self._count(before)
        return self

    def _count(self, before: int) -> None:
        changed = self.connection.apsw_connection.total_changes() - before
        self.rowcount = -1 if self.description and not changed else changed
        if changed:
            self.lastrowid = self.connection.apsw_connection.last_insert_rowid()

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        count = self.arraysize if size is None else size
        return [row for _, row in zip(range(count), self._rows, strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        self._rows = iter(())
        with _mapping:
            self._cursor.close()

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Ignored, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Ignored, as PEP 249 allows."""


class Connection:
    """A PEP 249 connection; `apsw_connection` is what it stands on."""

    def __init__(self, connection: apsw.Connection, *, writing: bool) -> None:
        self.apsw_connection = connection
        self.autocommit = False
        self._begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

    def begin(self) -> None:
        """Begin a transaction, if none is open and `autocommit` is off."""
        if not self.autocommit and not self.apsw_connection.in_transaction:
            with _mapping:
                self.apsw_connection.execute(self._begin)

    def cursor(self) -> Cursor:
        with _mapping:
            return Cursor(self)

    def commit(self) -> None:
        if self.apsw_connection.in_transaction:
            with _mapping:
                self.apsw_connection.execute("COMMIT")

    def rollback(self) -> None:
        if self.apsw_connection.in_transaction:
            with _mapping:
                self.apsw_connection.execute("ROLLBACK")

    def close(self) -> None:
        with _mapping:
            self.apsw_connection.close()


def connect(path: str, *, writing: bool = True, synchronous: str = "FULL") -> Connection:
    """Open an SQLite file; a writing connection creates it and brings it into WAL mode.

    A reading connection cannot write, and needs the file to be there.
    """
    with _mapping:
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if writing else 0)
        connection = apsw.Connection(path, flags)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            pragmas = [f"synchronous={synchronous}", "foreign_keys=ON", "trusted_schema=OFF"]
            # A reader of a file in WAL mode writes to its -shm file: hence query_only instead of opening read-only.
            pragmas += ["journal_mode=WAL"] if writing else ["query_only=ON"]
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except apsw.Error:
            connection.close(True)
            raise
    return Connection(connection, writing=writing)


class ApswDialect(SQLiteDialect):
    """SQLAlchemy's SQLite dialect over this module; `create_engine("sqlite+apsw:///path")`.

    `connect_args={"writing": False}` makes an engine that reads only.
    """

    driver = "apsw"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    returns_native_bytes = True
    supports_sane_multi_rowcount = False

    @classmethod
    def import_dbapi(cls) -> DBAPIModule:
        """This module."""
        import sys  # noqa: PLC0415 - a module cannot import itself by name while it is loaded

        return cast("DBAPIModule", sys.modules[__name__])

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """Connections wander between threads; a memory database lives in one connection."""
        return pool.QueuePool if url.database and url.database != ":memory:" else pool.StaticPool

    def create_connect_args(self, url: URL) -> ConnectArgsType:
        return [url.database or ":memory:"], {}

    def get_isolation_level_values(
        self,
        dbapi_connection: DBAPIConnection,  # noqa: ARG002 - the same for every connection
    ) -> Sequence[IsolationLevel]:
        return ["SERIALIZABLE", "AUTOCOMMIT"]

    def get_isolation_level(self, dbapi_connection: DBAPIConnection) -> IsolationLevel:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else "SERIALIZABLE"

    def set_isolation_level(self, dbapi_connection: DBAPIConnection, level: IsolationLevel) -> None:
        dbapi_connection.autocommit = level == "AUTOCOMMIT"

    def detect_autocommit_setting(self, dbapi_conn: DBAPIConnection) -> bool:
        return bool(dbapi_conn.autocommit)

    def on_connect(self) -> Callable[[DBAPIConnection], None] | None:
        """Nothing to add: `connect` has set the pragmas."""
        return None

    def _get_server_version_info(self, connection: object) -> tuple[int, ...]:  # noqa: ARG002 - linked in
        return sqlite_version_info


registry.register("sqlite.apsw", __name__, ApswDialect.__name__)
