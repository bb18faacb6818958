"""The composition root: settings → engines → flow → doors, and their order of starting and stopping."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog
import uvicorn

from .engines.inprocess import HandOffQueue, LocalBus, LocalCache, SystemClock, TokenBuckets
from .engines.sql.database import Database
from .engines.sql.letters import LetterReads
from .engines.sql.migrate import upgrade
from .engines.sql.readers import Readers
from .engines.sql.reads import SqlTelemetry
from .engines.sqlite.disk import DataDisk
from .engines.sqlite.folder import REGISTRY, TELEMETRY, FolderLock
from .engines.sqlite.registry import open_database, open_registry
from .engines.sqlite.secrets import ensure_secrets
from .engines.sqlite.store import SqliteStore, WriterProcess
from .flow.access import Access, Secrets, new_signing_key
from .flow.books import Bookkeeper
from .flow.gate.admit import Gate, GateSettings
from .flow.gate.letters import Letters
from .flow.history import StorageGuard, keep_retention
from .flow.live import Hub
from .flow.query import Query
from .flow.writer import Writer
from .http.app import ASGIApp, create_app
from .http.heads import BoundedHeads
from .http.ingest import Ingest, IngestLimits
from .http.services import Services
from .http.versions import V1Ending
from .model.errors import UnavailableError
from .model.times import to_us
from .settings import Settings

log = structlog.get_logger()

FLUSH_EVERY_S = 1.0
TIDY_EVERY_S = 60.0
DRAIN_S = 20.0
GC_THRESHOLD = 50_000
RESTART_S = 1.0


def set_up_logging(settings: Settings) -> None:
    """structlog to standard error, for people on a terminal and as JSON elsewhere."""
    for_people = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class Platform:
    """A composed installation: what can be started, served and stopped.

    Attributes:
        app: the ASGI application.
        services: what the routes work with; also the road for code that runs inside the process.
        not_ready: why /health/ready answers 503, None when it answers 200. Set by whoever has more to prepare.
    """

    def __init__(
        self,
        app: ASGIApp,
        services: Services,
        *,
        start: Callable[[], Coroutine[Any, Any, None]],
        stop: Callable[[], Coroutine[Any, Any, None]],
        tell_url: Callable[[str], None],
        state: ReadyState,
    ) -> None:
        self.app = app
        self.services = services
        self.start = start
        self.stop = stop
        self.tell_url = tell_url
        self.state = state


class ReadyState:
    """Why the platform is not ready; None when it is."""

    def __init__(self) -> None:
        self.reason: str | None = "starting"

    def __call__(self) -> str | None:
        return self.reason


def gate_settings(settings: Settings) -> GateSettings:
    """The gate's part of the settings; a quota of events is 20 × that of requests where none is given."""

    def events(own: int | None, requests: int) -> int:
        return 20 * requests if own is None else own

    return GateSettings(
        key_per_second=settings.limit_key_per_second,
        tenant_per_second=settings.limit_tenant_per_second,
        global_per_second=settings.limit_global_per_second,
        key_events_per_second=events(settings.limit_key_events_per_second, settings.limit_key_per_second),
        tenant_events_per_second=events(settings.limit_tenant_events_per_second, settings.limit_tenant_per_second),
        global_events_per_second=events(settings.limit_global_events_per_second, settings.limit_global_per_second),
        inflight_bytes=settings.max_inflight_bytes,
        max_dead_letters=settings.max_dead_letters,
    )


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
    limits = IngestLimits(settings.max_request_bytes, settings.max_decoded_bytes, settings.max_request_events)
    app: ASGIApp = Ingest(create_app(services), access, gate, clock, limits)
    if settings.v1_deprecation is not None:
        sunset_us = None if settings.v1_sunset is None else to_us(settings.v1_sunset)
        app = V1Ending(app, clock, to_us(settings.v1_deprecation), sunset_us)
    tasks: list[asyncio.Task[None]] = []

    async def flush() -> None:
        """Hand the rejected counts to the store and learn how many dead letters are open."""
        rejected = gate.totals.take_rejected()
        try:
            if rejected:
                await store.count_rejected(rejected)
        except UnavailableError:
            gate.totals.restore_rejected(rejected)
            return
        with suppress(UnavailableError):
            open_letters = await store.open_counts()
            gate.dead_letters.clear()
            gate.dead_letters.update(open_letters)

    async def every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except UnavailableError as error:
                log.warning("housekeeping_postponed", error=str(error))

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
        tasks.extend(asyncio.create_task(_kept_up(loop)) for loop in loops)
        # What was made until now lives as long as the process: the collector need not look at it again and again,
        # nor at what requests make and drop in the milliseconds that they take.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 20)
        state.reason = None

    async def stop() -> None:
        """1. no longer ready; 2. what was accepted is settled; 3. counts and keys' use are kept; 4. engines close."""
        state.reason = "stopping"
        try:
            async with asyncio.timeout(DRAIN_S):
                while queue.held() and process.pid:
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


async def _kept_up(loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an endless loop; one that ends by a defect is begun again, since nobody else would notice."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("loop_failed")
        await asyncio.sleep(RESTART_S)


def uvicorn_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How the doors are served."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="off",
        http=BoundedHeads,
        loop="uvloop",
        ws="websockets-sansio",
        ws_max_size=64 << 10,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ssl_certfile=settings.tls_cert and str(settings.tls_cert),
        ssl_keyfile=settings.tls_key and str(settings.tls_key),
    )


class Doors(uvicorn.Server):
    """The HTTP server. Signals are the business of whoever runs it."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_started()


async def serve(
    platform: Platform, settings: Settings, listener: socket.socket, stop: asyncio.Event, on_started: Callable[[], None]
) -> None:
    """Serve a started platform on the bound `listener` until `stop` is set; open requests are finished."""
    doors = Doors(uvicorn_config(platform.app, settings), on_started)

    async def close_when_told() -> None:
        await stop.wait()
        doors.should_exit = True

    watch = asyncio.create_task(close_when_told())
    try:
        await doors.serve(sockets=[listener])
    finally:
        watch.cancel()
