"""registry.db: opening and bringing up to date."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.pool import QueuePool

from ...ports.edge import Clock
from ..sql.database import Database
from ..sql.migrate import upgrade
from ..sql.registry import Registry, registry_over
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


def open_registry(path: Path, clock: Clock) -> Registry:
    """Open registry.db and bring it up to date. Raises `NewerSchemaError` for a file of a newer release."""
    path.touch(mode=0o600)
    database = open_database(path, name="registry")
    upgrade(database.writer, "registry")
    return registry_over(database, clock)
