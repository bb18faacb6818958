"""The embedded installation: everything in one process and its writer child, over one data folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog

from ..engines.inprocess import HandOffQueue, LocalBus, LocalCache, SystemClock, TokenBuckets
from ..engines.sql.database import Database
from ..engines.sql.letters import LetterReads
from ..engines.sql.migrate import upgrade
from ..engines.sql.readers import Readers
from ..engines.sql.reads import SqlTelemetry
from ..engines.sqlite.disk import DataDisk
from ..engines.sqlite.folder import REGISTRY, TELEMETRY, FolderLock
from ..engines.sqlite.registry import open_database, open_registry
from ..engines.sqlite.secrets import ensure_secrets
from ..engines.sqlite.store import SqliteStore, WriterProcess
from ..flow.access import Access, Secrets, new_signing_key
from ..flow.books import Bookkeeper
from ..flow.gate.admit import Gate
from ..flow.gate.letters import Letters
from ..flow.history import StorageGuard, keep_retention
from ..flow.live import Hub
from ..flow.query import Query
from ..flow.writer import Writer
from ..http.services import Services
from ..model.errors import UnavailableError
from ..settings import Settings
from .platform import (
    Platform,
    ReadyState,
    application,
    every,
    flush_counts,
    gate_settings,
    kept_up,
    settle_collector,
)

log = structlog.get_logger()

FLUSH_EVERY_S = 1.0
TIDY_EVERY_S = 60.0
DRAIN_S = 20.0


def migrate_embedded(settings: Settings) -> None:
    """Bring the data folder's schemas up to date. Raises FolderBusyError, NewerSchemaError."""
    lock = FolderLock(settings.data)
    try:
        open_registry(settings.data / REGISTRY, SystemClock()).close()
        _open_telemetry(settings).reader.dispose()
    finally:
        lock.release()


def _open_telemetry(settings: Settings) -> Database:
    """telemetry.db brought up to date; only its reading side stays open."""
    path = settings.data / TELEMETRY
    path.touch(mode=0o600)
    database = open_database(path, name="telemetry", readers=4)
    upgrade(database.writer, "telemetry")
    database.writer.dispose()
    return database


def build_embedded(settings: Settings) -> Platform:
    """Everything in one process and its writer child, over one data folder.

    Raises:
        FolderBusyError: another server holds the folder.
        NewerSchemaError: a newer release has written it.
    """
    lock = FolderLock(settings.data)
    clock = SystemClock()
    state = ReadyState()
    secrets = ensure_secrets(settings.data, new_signing_key)
    registry = open_registry(settings.data / REGISTRY, clock)
    telemetry = _open_telemetry(settings)
    readers = Readers(telemetry.reader)

    process = WriterProcess(settings.data / TELEMETRY, settings.max_series)
    store = SqliteStore(process, LetterReads(readers))
    queue = HandOffQueue(settings.max_queued_events)
    bus = LocalBus()
    cache = LocalCache()
    access = Access(
        Secrets(secrets.pepper, secrets.signing_key),
        tenants=registry.tenants,
        keys=registry.keys,
        accounts=registry.accounts,
        sessions=registry.sessions,
        first_run=registry.first_run,
        clock=clock,
    )
    gate = Gate(queue, registry.devices, TokenBuckets(), bus, clock, gate_settings(settings))
    bus.on_change(gate.forget_devices)
    writer = Writer(queue, store, bus, max_events=settings.batch_events)

    def close_gate(reason: str | None) -> None:
        gate.closed = reason

    guard = StorageGuard(DataDisk(settings.data), clock, settings.disk_reserve_bytes, close_gate)
    services = Services(
        access=access,
        tenants=registry.tenants,
        devices=registry.devices,
        keys=registry.keys,
        accounts=registry.accounts,
        clock=clock,
        cursor_secret=secrets.cursor_secret,
        version=version("telemetry-slice"),
        query=Query(SqlTelemetry(readers), registry.devices, clock, secrets.cursor_secret, cache),
        live=Hub(bus),
        books=Bookkeeper(gate.totals, queue, store),
        letters=Letters(store, registry.devices, cache),
        storage=guard,
        readiness=state,
        metrics_token=settings.metrics_token,
        devices_changed=bus.tell_change,
    )
    app = application(services, gate, settings)
    tasks: list[asyncio.Task[None]] = []

    flush = partial(flush_counts, gate, store)

    async def start() -> None:
        await process.start()
        guard.look()
        await flush()
        loops: list[Callable[[], Coroutine[Any, Any, None]]] = [
            writer.run,
            guard.watch,
            partial(every, FLUSH_EVERY_S, flush),
            partial(every, TIDY_EVERY_S, access.tidy),
        ]
        if settings.retention_days is not None:
            loops.append(partial(keep_retention, store, clock, settings.retention_days))
        tasks.extend(asyncio.create_task(kept_up(loop)) for loop in loops)
        settle_collector()
        state.reason = None

    async def stop() -> None:
        """1. no longer ready; 2. what was accepted is settled; 3. counts and keys' use are kept; 4. engines close."""
        state.reason = "stopping"
        try:
            async with asyncio.timeout(DRAIN_S):
                while await queue.held() and process.pid:
                    await asyncio.sleep(0.01)
                await flush()
                await access.tidy()
        except (TimeoutError, UnavailableError) as error:
            log.warning("stopped_without_draining", error=str(error))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await process.stop()
        access.close()
        readers.close()
        telemetry.reader.dispose()
        registry.close()
        lock.release()

    return Platform(app, services, start=start, stop=stop, tell_url=lock.tell, state=state)
