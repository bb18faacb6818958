"""What an installation does by itself, and tells to its audit as a system job."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from ..engines.sql.registry import Registry
from ..flow.access import ExpiryWatch, Secrets, Signers
from ..flow.access.renewal import renew
from ..flow.audit import Auditor
from ..flow.history import Ledger, keep_ledger, keep_retention
from ..model.audit import INSTALLATION, Detail, entry_of_job
from ..model.errors import UnavailableError
from ..model.tenancy import Duty, SystemJob
from ..model.times import DAY_US
from ..ports.edge import Clock
from ..ports.events import EventStore
from .platform import Loop, every

log = structlog.get_logger()

ROTATE_EVERY_S = 600.0
EXPIRY_EVERY_S = 60.0
BACKFILL_EVERY_S = 30.0
BACKFILL_PAUSE_S = 0.05
"""Between two steps the database belongs to the senders."""


class Jobs:
    """The duties of one process for all; each is a loop that never ends."""

    def __init__(self, auditor: Auditor, clock: Clock) -> None:
        self._auditor = auditor
        self._clock = clock

    async def _tell(self, duty: Duty, action: str, resource: str, target: str = "", **detail: str | int) -> None:
        told: Detail = detail
        entry = entry_of_job(SystemJob(duty), self._clock.now_us(), action, resource, target=target, detail=told)
        await self._auditor.tell(INSTALLATION, entry)

    def signing(self, signers: Signers, days: int) -> Loop:
        """The keys of access tokens follow one another, each after so many days."""
        return partial(every, ROTATE_EVERY_S, partial(self.rotate, signers, days * DAY_US))

    async def rotate(self, signers: Signers, period_us: int) -> None:
        """Publish and forget keys as it is time. Raises UnavailableError."""
        published, forgotten = await signers.rotate(period_us)
        if published is not None:
            await self._tell(Duty.SIGNING_KEYS, "publish", "signing keys", published)
        if forgotten:
            await self._tell(Duty.SIGNING_KEYS, "forget", "signing keys", keys=forgotten)

    @staticmethod
    def renewal(secrets: Secrets, registry: Registry) -> Loop:
        """What is sealed under an earlier pepper is sealed anew, at the start and now and then."""

        async def run() -> None:
            while True:
                try:
                    await renew(secrets.peppers, registry)
                except UnavailableError as error:
                    log.warning("renewal_postponed", error=str(error))
                await asyncio.sleep(ROTATE_EVERY_S)

        return run

    def expiry(self, registry: Registry, days: int) -> Loop:
        """The tenants of keys that end within so many days are warned."""
        watch = ExpiryWatch(registry.credentials.expiring, registry.audit, self._clock, days * DAY_US)
        return partial(every, EXPIRY_EVERY_S, watch.look)

    def retention(self, store: EventStore, days: int) -> Loop:
        """Readings recorded more than so many days ago are deleted."""

        async def told(events: int) -> None:
            await self._tell(Duty.RETENTION, "delete", "readings", days=days, events=events)

        return partial(keep_retention, store, self._clock, days, told)

    def ledger(self, ledger: Ledger, days: int) -> Loop:
        """Ids made more than so many days ago are let go of."""

        async def told(weeks: int) -> None:
            await self._tell(Duty.LEDGER, "forget", "event ids", days=days, weeks=weeks)

        return partial(keep_ledger, ledger, self._clock, days, told)

    def backfill(self, step: Callable[[], Awaitable[int]]) -> Loop:
        """What a revision of the schema has left empty is filled in, some rows at a `step`."""
        return partial(every, BACKFILL_EVERY_S, partial(self.fill, step))

    async def fill(self, step: Callable[[], Awaitable[int]]) -> None:
        """Until nothing is left. Raises UnavailableError."""
        rows = 0
        try:
            while filled := await step():
                rows += filled
                await asyncio.sleep(BACKFILL_PAUSE_S)
        finally:
            if rows:
                await self._tell(Duty.BACKFILL, "fill in", "rows", rows=rows)
