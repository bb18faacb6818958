"""Admitting requests: quotas, devices, the queue, the receipt."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import structlog

from ...model.errors import Code, QueueFullError, SliceError, UnavailableError
from ...model.events import EventBatch, RejectCode, Settlement, TenantNo
from ...model.tenancy import DeviceKey, GatewayKey, KeyPrincipal, Limits, Tenant
from ...observe import ACCEPTED_EVENTS, REJECTED_EVENTS, UNKNOWN_FIELDS
from ...ports.edge import Bus, Clock, Limiter, Quota, Verdict
from ...ports.events import Intake
from ...ports.registry import Devices
from .capacity import Capacity
from .decode import Decoded, Rejected
from .devices import DeviceNumbers
from .totals import Totals
from .validate import FOREIGN, validate

log = structlog.get_logger()

QUOTAS_KEPT = 20_000
FULL_S = 0.05
"""For so long after the queue was full for a tenant its requests are refused before they cost anything."""


class QuotaExceededError(SliceError):
    """A quota refuses; `verdict` has what the RateLimit fields tell."""

    def __init__(self, broken: Quota, verdict: Verdict) -> None:
        super().__init__(
            Code.QUOTA_EXCEEDED,
            f"the quota {broken.policy!r} of {broken.limit} a second is used up",
            retry_after_s=verdict.retry_after_s,
            policy=broken.policy,
        )
        self.broken = broken
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Quotas are per second, 0 = none; a tenant's own limits come first.

    Attributes:
        inflight_bytes: bytes of requests worked on at once.
        max_dead_letters: open dead letters of a tenant above which its ingest is refused.
    """

    key_per_second: int = 100
    tenant_per_second: int = 1_000
    global_per_second: int = 10_000
    key_events_per_second: int = 2_000
    tenant_events_per_second: int = 20_000
    global_events_per_second: int = 200_000
    inflight_bytes: int = 64 << 20
    max_dead_letters: int = 100_000


@dataclass(slots=True)
class Receipt:
    """What the sender is told.

    Attributes:
        accepted: events that are durable.
        batch: the accepted events; `places` are their positions in the request.
        settlement: what the writer decided, if that is known already.
    """

    accepted: int
    rejected: list[Rejected]
    batch: EventBatch
    places: list[int]
    settlement: Settlement | None = None


@dataclass(frozen=True, slots=True)
class _Quotas:
    tenant: Tenant
    requests: tuple[Quota, ...]
    events: tuple[Quota, ...]


class Gate:
    """One per API process."""

    def __init__(
        self,
        queue: Intake,
        devices: Devices,
        limiter: Limiter,
        bus: Bus,
        clock: Clock,
        settings: GateSettings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._limiter = limiter
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._devices = DeviceNumbers(devices)
        self._quotas: dict[str, _Quotas] = {}
        self.totals = Totals()
        self.capacity = Capacity(settings.inflight_bytes)
        self.dead_letters: Counter[TenantNo] = Counter()
        """Open dead letters by tenant, kept up to date by the composition root."""
        self._monotonic = monotonic
        self._full_until_s: dict[TenantNo, float] = {}
        self.closed: str | None = None
        """Why ingest is refused at the moment, None while it is open."""

    async def admit_request(self, principal: KeyPrincipal) -> Verdict:
        """Take one request from the quotas. Raises SliceError FORBIDDEN, QUOTA_EXCEEDED or CAPACITY."""
        tenant = principal.tenant
        if tenant.suspended is not None:
            self._refuse(tenant, RejectCode.SUSPENDED)
            raise SliceError(Code.FORBIDDEN, f"The tenant is suspended: {tenant.suspended}")
        if self.closed is not None:
            self._refuse(tenant, RejectCode.CAPACITY)
            raise SliceError(Code.CAPACITY, self.closed, retry_after_s=30)
        if self.dead_letters[tenant.no] >= self._settings.max_dead_letters:
            self._refuse(tenant, RejectCode.QUOTA)
            raise SliceError(
                Code.QUOTA_EXCEEDED,
                f"{self.dead_letters[tenant.no]} dead letters are open: replay or discard some",
                retry_after_s=60,
                policy="dead-letters",
            )
        if self._was_full(tenant.no):
            self._refuse(tenant, RejectCode.CAPACITY)
            raise _full()
        verdict = await self._limiter.admit(self._quotas_of(principal).requests, 1)
        if verdict.broken is not None:
            self._break(tenant, verdict, verdict.broken, 1)
        return verdict

    def _was_full(self, tenant: TenantNo) -> bool:
        until_s = self._full_until_s.get(tenant)
        if until_s is None:
            return False
        if self._monotonic() < until_s:
            return True
        del self._full_until_s[tenant]
        return False

    async def admit_events(self, principal: KeyPrincipal, count: int) -> Verdict:
        """Take `count` events from the quotas. Raises SliceError QUOTA_EXCEEDED."""
        verdict = await self._limiter.admit(self._quotas_of(principal).events, count)
        if verdict.broken is not None:
            self._break(principal.tenant, verdict, verdict.broken, count)
        return verdict

    def _quotas_of(self, principal: KeyPrincipal) -> _Quotas:
        """The quotas of a key, made anew when its tenant's limits may have changed."""
        tenant = principal.tenant
        known = self._quotas.get(principal.key_id)
        if known is None or known.tenant is not tenant:
            limits, settings = tenant.limits, self._settings
            requests = (
                Quota("key", principal.key_id, _first(limits.key_per_second, settings.key_per_second)),
                Quota("tenant", tenant.id, _first(limits.tenant_per_second, settings.tenant_per_second)),
                Quota("global", "", settings.global_per_second),
            )
            events = (
                Quota("key-events", principal.key_id, _events(limits, settings, "key")),
                Quota("tenant-events", tenant.id, _events(limits, settings, "tenant")),
                Quota("global-events", "", settings.global_events_per_second),
            )
            known = _Quotas(tenant, *(tuple(quota for quota in quotas if quota.limit) for quotas in (requests, events)))
            if len(self._quotas) >= QUOTAS_KEPT:
                self._quotas.clear()
            self._quotas[principal.key_id] = known
        return known

    def _break(self, tenant: Tenant, verdict: Verdict, broken: Quota, cost: int) -> NoReturn:
        self._refuse(tenant, RejectCode.QUOTA, cost)
        raise QuotaExceededError(broken, verdict)

    def _refuse(self, tenant: Tenant, code: RejectCode, count: int = 1) -> None:
        self.totals.reject(tenant.no, self._clock.now_us(), code, count)
        REJECTED_EVENTS.labels(code.value).inc(count)

    def count_refused(self, tenant: Tenant, code: RejectCode) -> None:
        """Count a request that was refused whole before its events were read."""
        self._refuse(tenant, code)

    async def accept(
        self, principal: KeyPrincipal, decoded: Decoded, received_us: int, *, wait_s: float | None = None
    ) -> Receipt:
        """Make the valid events durable, and wait up to `wait_s` for what the writer decides, if that is given.

        Raises:
            SliceError: CAPACITY if the queue is full, UNAVAILABLE if the outcome is unknown.
        """
        tenant = principal.tenant
        numbers = await self._numbers(principal, decoded, received_us)
        batch, places = validate(tenant.no, tenant.id, decoded, numbers, received_us)
        if decoded.rejected:
            decoded.rejected.sort(key=lambda rejected: rejected.index)
            for code, count in Counter(rejected.code for rejected in decoded.rejected).items():
                self.totals.reject(tenant.no, received_us, code, count)
                REJECTED_EVENTS.labels(code.value).inc(count)
        if decoded.unknown_fields:
            UNKNOWN_FIELDS.inc(decoded.unknown_fields)
        receipt = Receipt(len(places), decoded.rejected, batch, places)
        if places:
            await self._put(tenant, receipt, wait_s)
            ACCEPTED_EVENTS.inc(len(places))
        return receipt

    async def _put(self, tenant: Tenant, receipt: Receipt, wait_s: float | None) -> None:
        message = self.totals.message(receipt.batch, wants_outcome=wait_s is not None, placement=tenant.placement)
        learned = None if wait_s is None else asyncio.Event()

        def learn(settlement: Settlement) -> None:
            receipt.settlement = settlement
            if learned is not None:
                learned.set()

        forget = None if learned is None else self._bus.await_outcome(message, learn)
        try:
            await self._queue.put(message)
            if learned is not None and not learned.is_set():
                # Where the writer is another process, the events are durable before they are settled.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await learned.wait()
        except QueueFullError:
            # Raised before the queue's first await: the number just given is still the newest.
            self.totals.take_back(message)
            self._refuse(tenant, RejectCode.CAPACITY, len(receipt.batch))
            self._full_until_s[tenant.no] = self._monotonic() + FULL_S
            raise _full() from None
        except UnavailableError:
            raise SliceError(
                Code.UNAVAILABLE, "whether the events were kept is unknown: repeat with the same ids", retry_after_s=1
            ) from None
        finally:
            if forget:
                forget()

    async def _numbers(self, principal: KeyPrincipal, decoded: Decoded, now_us: int) -> Mapping[str, int]:
        """Device id → number for the devices in the request, as `validate` wants it."""
        if isinstance(principal, DeviceKey):
            sent = {event.device_id for event in decoded.events}
            numbers = dict.fromkeys(sent, FOREIGN)
            if principal.device_id in numbers:
                known = await self._devices.resolve(principal.tenant, {principal.device_id}, now_us, register=False)
                numbers.pop(principal.device_id)
                if principal.device_id in known:
                    numbers[principal.device_id] = known[principal.device_id]
            return numbers
        register = principal.tenant.auto_register and isinstance(principal, GatewayKey)
        wanted = {event.device_id for event in decoded.events}
        return await self._devices.resolve(principal.tenant, wanted, now_us, register=register)

    def forget_devices(self, tenant: TenantNo | None) -> None:
        """Look the tenant's devices up again, with None everybody's: one was created or deleted, or may have been."""
        self._devices.forget(tenant)


def _full() -> SliceError:
    return SliceError(Code.CAPACITY, "the queue is full", retry_after_s=1)


def _first(own: int | None, common: int) -> int:
    return common if own is None else own


def _events(limits: Limits, settings: GateSettings, whose: str) -> int:
    """A quota of events: the tenant's own, else 20 × its own requests, else the installation's."""
    own = limits.key_events_per_second if whose == "key" else limits.tenant_events_per_second
    requests = limits.key_per_second if whose == "key" else limits.tenant_per_second
    common = settings.key_events_per_second if whose == "key" else settings.tenant_events_per_second
    if own is not None:
        return own
    return common if requests is None else 20 * requests
