"""Which number a device has: looked up once, and known until something may have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...model.errors import UnavailableError
from ...model.events import TenantNo
from ...model.tenancy import Tenant
from ...model.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from ...ports.registry import Devices
from .validate import DELETED, check_device_id

KEPT_US = HOUR_US
"""Known devices are looked up again after an hour, or at once when `forget` tells of a change."""
OUTAGE_US = 10 * MINUTE_US
OUTAGE_KNOWN_US = DAY_US
"""While the registry is away, devices known within the last day are trusted for so long: as keys are."""
ASK_AGAIN_US = SECOND_US


@dataclass(slots=True)
class _Known:
    """Device id → number, until when; and of what is doubted since, (number, until when it was known)."""

    until_us: int
    numbers: dict[str, int] = field(default_factory=dict)
    doubted: dict[str, tuple[int, int]] = field(default_factory=dict)

    def doubt(self, now_us: int) -> _Known:
        """The same with everything doubted. A look-up under way adds to what nobody asks any more."""
        known_us = min(self.until_us, now_us)
        self.doubted.update((device_id, (number, known_us)) for device_id, number in self.numbers.items())
        return _Known(now_us + KEPT_US, doubted=self.doubted)

    def trusted(self, device_ids: Sequence[str], now_us: int) -> dict[str, int] | None:
        """What is doubted of `device_ids`, None unless that is all of them and lately known."""
        found = {}
        for device_id in device_ids:
            number, known_us = self.doubted.get(device_id, (0, -OUTAGE_KNOWN_US))
            if now_us - known_us > OUTAGE_KNOWN_US:
                return None
            found[device_id] = number
        return found


class DeviceNumbers:
    """Numbers of devices by tenant, for one gate.

    When changes may have been missed, devices are looked up again. If the registry cannot be asked then, those that
    were known are trusted for a bounded time, so that the queue goes on taking their events; a change that was told is
    never doubted.
    """

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._known: dict[TenantNo, _Known] = {}
        self._now_us = 0
        self._outage_since_us: int | None = None
        self._ask_us = 0

    async def resolve(self, tenant: Tenant, wanted: set[str], now_us: int, *, register: bool) -> Mapping[str, int]:
        """Device id → number or DELETED, at least for the known ones among `wanted`; with `register` for all of them.

        Raises UnavailableError if the registry cannot be asked, and some were not known lately.
        """
        self._now_us = now_us
        known = self._known.get(tenant.no)
        if known is None:
            known = self._known[tenant.no] = _Known(now_us + KEPT_US)
        elif known.until_us < now_us:
            known = self._known[tenant.no] = known.doubt(now_us)
        missing = [device_id for device_id in wanted if device_id not in known.numbers]
        asked = [device_id for device_id in missing if check_device_id(device_id) is None]
        if not asked:
            return known.numbers
        trusted = known.trusted(asked, now_us)
        if trusted is not None and self._spared(now_us):
            return known.numbers | trusted
        try:
            known.numbers.update(await self._look_up(tenant.no, asked, register=register))
        except UnavailableError:
            if self._outage_since_us is None:
                self._outage_since_us = now_us
            self._ask_us = max(self._ask_us, now_us + ASK_AGAIN_US)
            if trusted is None or now_us - self._outage_since_us > OUTAGE_US:
                raise
            return known.numbers | trusted
        self._outage_since_us = None
        return known.numbers

    def _spared(self, now_us: int) -> bool:
        """Whether a registry that was away a moment ago need not be asked: one caller a second waits for it."""
        if self._outage_since_us is None or now_us - self._outage_since_us > OUTAGE_US:
            return False
        if now_us < self._ask_us:
            return True
        self._ask_us = now_us + ASK_AGAIN_US
        return False

    async def _look_up(self, tenant: TenantNo, asked: Sequence[str], *, register: bool) -> dict[str, int]:
        found = await self._devices.resolve(tenant, asked)
        unknown = [device_id for device_id in asked if device_id not in found]
        if unknown and register:
            found |= await self._devices.register(tenant, unknown)
        return {device_id: device.no if device.deleted_us is None else DELETED for device_id, device in found.items()}

    def forget(self, tenant: TenantNo | None) -> None:
        """The tenant's devices have changed, or with None those of any tenant may have."""
        if tenant is not None:
            self._known.pop(tenant, None)
            return
        for number, known in self._known.items():
            self._known[number] = known.doubt(self._now_us)
