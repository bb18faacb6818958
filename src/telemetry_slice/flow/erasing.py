"""Erasing tenants: step by step, begun again wherever a crash has ended it, and done when every table says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from ..model.audit import INSTALLATION, AuditEntry, AuditOutcome, Detail
from ..model.errors import UnavailableError
from ..model.placement import SHARED, Placement
from ..model.times import HOUR_US, SECOND_US
from ..ports.audit import AuditLog
from ..ports.edge import Clock
from ..ports.erasing import Erasure, Erasures, TelemetryErasing

log = structlog.get_logger()

LOOK_EVERY_S = 2.0
QUIET_US = 10 * SECOND_US
"""After so long no gate takes the tenant's keys for good any more (they are believed for 4 s), and no page shows it."""
SWEEP_AFTER_US = HOUR_US
"""A gate that could not reach the registry believes keys for ten minutes more: what came by it is looked for then."""
PAUSE_S = 0.02
"""Between two steps the writer belongs to the senders."""


class NotEmptyError(Exception):
    """Rows of a tenant were found after all had been deleted."""


class Erasing:
    """What one process does for all of an installation."""

    def __init__(
        self,
        erasures: Erasures,
        telemetry: TelemetryErasing,
        audit: AuditLog,
        clock: Clock,
        *,
        quiet_us: int = QUIET_US,
        sweep_after_us: int = SWEEP_AFTER_US,
    ) -> None:
        self._erasures = erasures
        self._telemetry = telemetry
        self._audit = audit
        self._clock = clock
        self._quiet_us = quiet_us
        self._sweep_after_us = sweep_after_us

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.round()
            except UnavailableError as error:
                log.warning("erasing_postponed", error=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def round(self) -> None:
        """Erase whatever is due, each as far as possible now. Raises UnavailableError if the registry is away."""
        for erasure in await self._erasures.due(self._clock.now_us() - self._sweep_after_us):
            try:
                if erasure.finished_us is None:
                    await self._erase(erasure)
                else:
                    await self._sweep(erasure)
            except (UnavailableError, NotEmptyError) as error:
                # One whose database is away does not keep the others.
                log.warning("erasing_postponed", tenant=erasure.tenant_id, error=str(error))

    async def _erase(self, erasure: Erasure) -> None:
        tenant, placement = erasure.tenant_no, erasure.placement
        if self._clock.now_us() - erasure.asked_us < self._quiet_us:
            return
        if waiting := await self._telemetry.in_flight(placement, tenant):
            log.info("erasing_waits", tenant=erasure.tenant_id, events_in_flight=waiting)
            return
        counts = dict(erasure.counts)
        if not erasure.counted:
            counts |= await self._telemetry.count(placement, tenant)
            await self._erasures.keep_counts(tenant, counts)
        await self._empty(placement, erasure)
        while await self._erasures.erase_some(tenant):
            await asyncio.sleep(PAUSE_S)
        # Told before it is finished: a crash in between tells it twice rather than never.
        await self._tell(erasure, counts)
        _check(await self._erasures.finish(tenant, self._clock.now_us()))
        log.info("tenant_erased", tenant=erasure.tenant_id, tenant_no=tenant, **counts)

    async def _sweep(self, erasure: Erasure) -> None:
        # Without a tenant there is no schema of its own: what came late lies in the shared tables.
        apart = erasure.placement.schema is not None
        await self._empty(SHARED if apart else erasure.placement, erasure)
        await self._erasures.swept(erasure.tenant_no, self._clock.now_us())

    async def _empty(self, placement: Placement, erasure: Erasure) -> None:
        """Delete all telemetry, and make sure of it. Raises NotEmptyError."""
        while await self._telemetry.erase_some(placement, erasure.tenant_no):
            await asyncio.sleep(PAUSE_S)
        _check(await self._telemetry.count(placement, erasure.tenant_no))

    async def _tell(self, erasure: Erasure, counts: Mapping[str, int]) -> None:
        now_us, who = self._clock.now_us(), erasure.tenant_id
        detail: Detail = {"state": "erased", **counts}
        entry = AuditEntry(now_us, erasure.actor, "erase", "tenants", who, who, None, None, AuditOutcome.DONE, detail)
        for chain in (INSTALLATION, erasure.tenant_no):
            await self._audit.append(chain, entry)


def _check(left: Mapping[str, int]) -> None:
    found = {part: rows for part, rows in left.items() if rows}
    if found:
        raise NotEmptyError(f"rows are left, or came again: {found}")
