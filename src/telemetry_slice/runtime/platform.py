"""What every installation has: the application, its readiness, its housekeeping."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol

import structlog

from ..engines.smtp import SmtpPost
from ..engines.sql.fleet import SqlFleetTelemetry
from ..engines.sql.readers import TenantReaders
from ..engines.sql.reads import SqlTelemetry
from ..engines.sql.registry import Registry
from ..flow.access import Access
from ..flow.audit import Auditor
from ..flow.books import Bookkeeper
from ..flow.fleet import Fleet
from ..flow.gate.admit import Gate, GateSettings
from ..flow.gate.letters import Letters
from ..flow.history import StorageGuard
from ..flow.live import Hub
from ..flow.query import Query
from ..http.app import ASGIApp, create_app
from ..http.ingest import Ingest, IngestLimits
from ..http.services import Place, Services
from ..http.versions import V1Ending
from ..model.errors import UnavailableError
from ..model.events import TenantNo
from ..model.tenancy import Allowance, Limits
from ..model.times import DAY_US, to_us
from ..ports.cache import FRESH_S, Cache
from ..ports.edge import Bus, Clock, Limiter
from ..ports.events import DeadLetters, EventStore, Intake
from ..settings import Settings
from .panels import panels_over
from .providers import providers_of
from .secrets import access_secrets, kept_secrets

log = structlog.get_logger()

GC_THRESHOLD = 50_000
RESTART_S = 1.0
FLUSH_EVERY_S = 1.0
TIDY_EVERY_S = 60.0
DRAIN_S = 20.0

Loop = Callable[[], Coroutine[Any, Any, None]]


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


class Role:
    """A process that serves nobody over HTTP but who watches it: a writer, the scheduler.

    Attributes:
        state: whether it works; told at `TSLICE_WATCH_PORT`.
    """

    def __init__(
        self, *, start: Callable[[], Coroutine[Any, Any, None]], stop: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self.state = ReadyState()
        self._start = start
        self._stop = stop

    async def start(self) -> None:
        """Begin to work."""
        await self._start()
        self.state.reason = None

    async def stop(self) -> None:
        """Finish, and let the engines go."""
        self.state.reason = "stopping"
        await self._stop()


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


def allowance(settings: Settings) -> Allowance:
    """What the settings grant each tenant."""
    gate = gate_settings(settings)
    return Allowance(
        limits=Limits(
            gate.key_per_second, gate.tenant_per_second, gate.key_events_per_second, gate.tenant_events_per_second
        ),
        dead_letters=gate.max_dead_letters,
        series=settings.max_series,
        retention_days=settings.retention_days,
    )


class Store(EventStore, DeadLetters, Protocol):
    """A store keeps the dead letters with the events: every change of them is one transaction with the books."""


async def flush_counts(gate: Gate, store: Store) -> None:
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


def settle_collector() -> None:
    """Tell the collector that what was made until now lives as long as the process.

    It need not look at it again and again, nor at what requests make and drop in the milliseconds that they take.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)


async def every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do `work` again and again; what is unavailable is tried again the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except UnavailableError as error:
            log.warning("housekeeping_postponed", error=str(error))


async def kept_up(loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an endless loop; one that ends by a defect is begun again, since nobody else would notice."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("loop_failed")
        await asyncio.sleep(RESTART_S)


class Loops:
    """Endless loops, kept up until they are ended."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, *loops: Loop) -> None:
        self._tasks.extend(asyncio.create_task(kept_up(loop)) for loop in loops)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Front:
    """What stands before the engines in a process that serves HTTP, and its own housekeeping.

    Attributes:
        secrets: what those who sign in are checked with.
        state: why it is not ready.
        gate, access, auditor, services, app: as their classes say.
        flush: hand on what the gate has counted.
        housekeeping: loops to be run while it serves.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        registry: Registry,
        readers: TenantReaders,
        store: Store,
        queue: Intake,
        bus: Bus,
        cache: Cache,
        limiter: Limiter,
        storage: StorageGuard | None,
        place: Place,
        lag_s: float = 0.0,
    ) -> None:
        """What `readers` answer is at most `lag_s` behind the store."""
        kept = kept_secrets(settings)
        self.secrets = access_secrets(kept)
        self.state = ReadyState()
        post = None if settings.smtp_url is None else SmtpPost(settings.smtp_url, settings.smtp_from or "")
        self.access = Access(
            self.secrets,
            registry,
            clock,
            post=post,
            public_url=settings.public_url,
            providers=providers_of(settings, clock),
            key_warning_us=settings.key_warning_days * DAY_US,
        )
        self.auditor = Auditor(registry.audit)
        self.gate = Gate(queue, registry.devices, limiter, bus, clock, gate_settings(settings))
        bus.on_change(self.gate.forget_devices)

        def devices_changed(tenant: TenantNo) -> None:
            cache.forget(tenant)
            bus.tell_change(tenant)

        query = Query(SqlTelemetry(readers), registry.devices, clock, kept.cursor_secret, cache)
        self.services = Services(
            access=self.access,
            tenants=registry.tenants,
            devices=registry.devices,
            keys=registry.keys,
            accounts=registry.accounts,
            audit=registry.audit,
            auditor=self.auditor,
            erasures=registry.erasures,
            clock=clock,
            cursor_secret=kept.cursor_secret,
            version=version("telemetry-slice"),
            query=query,
            fleet=Fleet(registry.devices, SqlFleetTelemetry(readers), clock, cache),
            live=Hub(bus, stale_s=FRESH_S + lag_s),
            dashboards=registry.dashboards,
            panels=panels_over(query, clock),
            books=Bookkeeper(self.gate.totals, queue, store),
            letters=Letters(store, registry.devices, cache, lag_s),
            allowance=allowance(settings),
            storage=storage,
            readiness=self.state,
            metrics_token=settings.metrics_token,
            place=place,
            devices_changed=devices_changed,
        )
        self.app = self._application(settings)
        self.flush = partial(flush_counts, self.gate, store)
        self.housekeeping: tuple[Loop, ...] = (
            partial(every, FLUSH_EVERY_S, self.flush),
            partial(every, FLUSH_EVERY_S, self.auditor.write_down),
            partial(every, TIDY_EVERY_S, self.access.tidy),
        )

    def _application(self, settings: Settings) -> ASGIApp:
        """The ingest routes in front of everything else."""
        services = self.services
        limits = IngestLimits(settings.max_request_bytes, settings.max_decoded_bytes, settings.max_request_events)
        app: ASGIApp = Ingest(create_app(services), self.access, self.gate, services.clock, limits)
        if settings.v1_deprecation is not None:
            sunset_us = None if settings.v1_sunset is None else to_us(settings.v1_sunset)
            app = V1Ending(app, services.clock, to_us(settings.v1_deprecation), sunset_us)
        return app
