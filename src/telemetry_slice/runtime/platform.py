"""What every installation has: the application, its readiness, its housekeeping."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog

from ..flow.gate.admit import Gate, GateSettings
from ..http.app import ASGIApp, create_app
from ..http.ingest import Ingest, IngestLimits
from ..http.services import Services
from ..http.versions import V1Ending
from ..model.errors import UnavailableError
from ..model.events import TenantNo
from ..model.times import to_us
from ..settings import Settings

log = structlog.get_logger()

GC_THRESHOLD = 50_000
RESTART_S = 1.0


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


class Role:
    """A process that serves nobody over HTTP: a writer, the scheduler."""

    def __init__(
        self, *, start: Callable[[], Coroutine[Any, Any, None]], stop: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self.start = start
        self.stop = stop


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


def application(services: Services, gate: Gate, settings: Settings) -> ASGIApp:
    """The ASGI application: the ingest routes in front of everything else."""
    limits = IngestLimits(settings.max_request_bytes, settings.max_decoded_bytes, settings.max_request_events)
    app: ASGIApp = Ingest(create_app(services), services.access, gate, services.clock, limits)
    if settings.v1_deprecation is not None:
        sunset_us = None if settings.v1_sunset is None else to_us(settings.v1_sunset)
        app = V1Ending(app, services.clock, to_us(settings.v1_deprecation), sunset_us)
    return app


class CountsStore(Protocol):
    """What `flush_counts` needs of the store."""

    async def count_rejected(self, counts: Sequence[tuple[TenantNo, int, str, int]]) -> None: ...

    async def open_counts(self) -> Mapping[TenantNo, int]: ...


async def flush_counts(gate: Gate, store: CountsStore) -> None:
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
