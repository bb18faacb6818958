"""The duty that erases, over an installation at rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from telemetry_slice.engines.inprocess import HandOffQueue, SystemClock
from telemetry_slice.engines.postgres.registry import open_registry as open_postgres_registry
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sqlite.registry import open_database, open_registry
from telemetry_slice.engines.sqlite.store import SqliteStore, WriterProcess
from telemetry_slice.flow.erasing import Erasing
from telemetry_slice.runtime.distributed import erasing_of
from telemetry_slice.runtime.erasing.folder import FolderErasing
from telemetry_slice.settings import Settings


def hastily(erasing: Erasing) -> Erasing:
    """Nobody else is there whose caches would have to be waited for."""
    loose = cast("Any", erasing)
    loose._quiet_us = loose._sweep_after_us = 0
    return erasing


@asynccontextmanager
async def erasing_in(settings: Settings) -> AsyncIterator[Erasing]:
    clock = SystemClock()
    if settings.distributed:
        registry = open_postgres_registry(settings.database_url or "", clock)
        try:
            yield hastily(erasing_of(settings, registry, clock))
        finally:
            registry.close()
        return
    registry = open_registry(settings.data / "registry.db", clock)
    database = open_database(settings.data / "telemetry.db", name="telemetry")
    readers = Readers(database.reader)
    process = WriterProcess(settings.data / "telemetry.db", 1_000)
    await process.start()
    try:
        store = SqliteStore(process, readers)
        parts = FolderErasing(store, readers, HandOffQueue(1))
        yield hastily(Erasing(registry.erasures, parts, registry.audit, clock))
    finally:
        await process.stop()
        readers.close()
        database.reader.dispose()
        database.close()
        registry.close()
