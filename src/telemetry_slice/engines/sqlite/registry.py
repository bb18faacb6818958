"""registry.db: opening, bringing up to date, and its ports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.pool import QueuePool

from ...ports.edge import Clock
from ..sql.accounts import SqlAccounts, SqlFirstRun
from ..sql.database import Database
from ..sql.devices import SqlDevices
from ..sql.keys import SqlKeys
from ..sql.migrate import upgrade
from ..sql.sessions import SqlSessions
from ..sql.tenants import SqlTenants
from .dbapi import DRIVER

READERS = 2


def open_database(path: Path, *, name: str, readers: int = READERS) -> Database:
    """A database over one SQLite file, which is created if need be; not migrated yet."""
    url = URL.create(DRIVER, database=str(path))
    return Database(
        create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=1, connect_args={"writing": True}),
        create_engine(url, poolclass=QueuePool, pool_size=readers, max_overflow=0, connect_args={"writing": False}),
        name=name,
        readers=readers,
    )


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry's ports over one database."""

    database: Database
    tenants: SqlTenants
    devices: SqlDevices
    keys: SqlKeys
    accounts: SqlAccounts
    sessions: SqlSessions
    first_run: SqlFirstRun

    def close(self) -> None:
        """Finish and close."""
        self.database.close()


def open_registry(path: Path, clock: Clock) -> Registry:
    """Open registry.db and bring it up to date. Raises `NewerSchemaError` for a file of a newer release."""
    path.touch(mode=0o600)
    database = open_database(path, name="registry")
    upgrade(database.writer, "registry")
    return Registry(
        database=database,
        tenants=SqlTenants(database, clock),
        devices=SqlDevices(database, clock),
        keys=SqlKeys(database, clock),
        accounts=SqlAccounts(database, clock),
        sessions=SqlSessions(database),
        first_run=SqlFirstRun(database),
    )
