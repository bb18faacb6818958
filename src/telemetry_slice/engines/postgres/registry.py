"""The registry on PostgreSQL."""

from __future__ import annotations

from ...ports.edge import Clock
from ..sql.database import Database
from ..sql.registry import Registry, registry_over
from .connect import engine, sever

WRITERS = 2
READERS = 4


def open_registry(url: str, clock: Clock) -> Registry:
    """The registry of a migrated database; `url` signs in as the API role. Connects at the first use."""
    writing = engine(url, size=WRITERS, isolation_level="READ COMMITTED")
    reading = engine(url, size=READERS, isolation_level="REPEATABLE READ", postgresql_readonly=True)
    database = Database(writing, reading, name="registry", readers=READERS, writers=WRITERS, sever=sever)
    return registry_over(database, clock)
