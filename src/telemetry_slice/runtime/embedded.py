"""The embedded installation: everything in one process and its writer child, over one data folder."""

from __future__ import annotations

import asyncio

import structlog

from ..engines.folder.lock import FolderLock
from ..engines.inprocess import HandOffQueue, LocalBus, LocalCache, SystemClock, TokenBuckets
from ..engines.sql.database import Database
from ..engines.sql.migrate import upgrade
from ..engines.sql.readers import Readers
from ..engines.sqlite.disk import DataDisk
from ..engines.sqlite.files import REGISTRY, TELEMETRY
from ..engines.sqlite.registry import open_database, open_registry
from ..engines.sqlite.store import SqliteStore, WriterProcess
from ..flow.erasing import Erasing
from ..flow.history import StorageGuard
from ..flow.writer import Writer
from ..model.errors import UnavailableError, invalid
from ..model.placement import SHARED, Placement, PlacementKind
from ..settings import Settings
from .erasing.folder import FolderErasing
from .jobs import Jobs
from .platform import DRAIN_S, Front, Loops, Platform, settle_collector

log = structlog.get_logger()


def migrate_embedded(settings: Settings) -> None:
    """Bring the data folder's schemas up to date. Raises FolderBusyError, NewerSchemaError."""
    lock = FolderLock(settings.data)
    try:
        migrate_folder(settings)
    finally:
        lock.release()


def migrate_folder(settings: Settings) -> None:
    """As `migrate_embedded`, for whoever holds the folder's lock."""
    open_registry(settings.data / REGISTRY, SystemClock()).close()
    _open_telemetry(settings).reader.dispose()


def _open_telemetry(settings: Settings) -> Database:
    """telemetry.db brought up to date; only its reading side stays open."""
    path = settings.data / TELEMETRY
    path.touch(mode=0o600)
    database = open_database(path, name="telemetry", readers=4)
    upgrade(database.writer, "telemetry")
    database.writer.dispose()
    return database


async def shared_only(tenant_id: str, kind: PlacementKind, database: str | None) -> Placement:
    """The placement of every tenant here. Raises SliceError INVALID when another is asked for."""
    del tenant_id
    if kind != PlacementKind.SHARED or database is not None:
        raise invalid("/placement", "On SQLite all tenants share their tables: a placement apart needs PostgreSQL.")
    return SHARED


def build_embedded(settings: Settings) -> Platform:
    """Everything in one process and its writer child, over one data folder.

    Raises:
        FolderBusyError: another server holds the folder.
        NewerSchemaError: a newer release has written it.
    """
    lock = FolderLock(settings.data)
    clock = SystemClock()
    registry = open_registry(settings.data / REGISTRY, clock)
    telemetry = _open_telemetry(settings)
    readers = Readers(telemetry.reader)

    process = WriterProcess(settings.data / TELEMETRY, settings.max_series)
    store = SqliteStore(process, readers)
    queue = HandOffQueue(settings.max_queued_events)
    bus = LocalBus()
    writer = Writer(queue, store, bus, max_events=settings.batch_events)

    def close_gate(reason: str | None) -> None:
        front.gate.closed = reason

    guard = StorageGuard(DataDisk(settings.data), clock, settings.disk_reserve_bytes, close_gate)
    front = Front(
        settings,
        clock,
        registry=registry,
        readers=readers,
        store=store,
        queue=queue,
        bus=bus,
        cache=LocalCache(),
        limiter=TokenBuckets(),
        storage=guard,
        place=shared_only,
    )
    erasing = Erasing(registry.erasures, FolderErasing(store, readers, queue), registry.audit, clock)
    jobs = Jobs(front.auditor, clock)
    loops = Loops()

    async def start() -> None:
        await process.start()
        guard.look()
        await front.flush()
        loops.start(writer.run, guard.watch, erasing.run, *front.housekeeping)
        loops.start(
            jobs.signing(front.access.signers, settings.signing_key_days),
            jobs.renewal(front.secrets, registry),
            jobs.expiry(registry, settings.key_warning_days),
        )
        if settings.retention_days is not None:
            loops.start(jobs.retention(store, settings.retention_days))
        settle_collector()
        front.state.reason = None

    async def stop() -> None:
        """1. no longer ready; 2. what was accepted is settled; 3. counts and keys' use are kept; 4. engines close."""
        front.state.reason = "stopping"
        try:
            async with asyncio.timeout(DRAIN_S):
                while await queue.held() and process.pid:
                    await asyncio.sleep(0.01)
                await front.flush()
                await front.access.tidy()
                await front.auditor.write_down()
        except (TimeoutError, UnavailableError) as error:
            log.warning("stopped_without_draining", error=str(error))
        await loops.end()
        await process.stop()
        front.access.close()
        readers.close()
        telemetry.reader.dispose()
        registry.close()
        lock.release()

    return Platform(front.app, front.services, start=start, stop=stop, tell_url=lock.tell, state=front.state)
