"""Many devices at once, each with its key.

The keys are made of a seed that the caller may choose: whoever repeats a call with the same seed, since the answer was
lost, is given the same keys again. Nothing but their MACs is kept; docs/adr/0024 says why that is safe.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...model.errors import Code, SliceError
from ...model.tenancy import Tenant
from ...model.times import SECOND_US
from ...ports.edge import Clock
from ...ports.provisioning import Fate, Provisioning, WantedDevice
from .keys import KeyRing

MAX_ROWS = 10_000
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device that shall be there."""

    device_id: str
    label: str
    location: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What became of one device; `key` is told this once, where it has a new one."""

    device_id: str
    fate: Fate
    key_id: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Terms:
    """How devices are provisioned.

    Attributes:
        overlap_s: devices that have keys get a new one, and the old go on for so long; None leaves them alone.
        expires_us: when the new keys end.
        all_or_nothing: do nothing if one device is refused.
        dry_run: do nothing.
    """

    overlap_s: int | None = None
    expires_us: int | None = None
    all_or_nothing: bool = True
    dry_run: bool = False


class Provisioner:
    """Creates devices with their keys."""

    def __init__(self, provisioning: Provisioning, keys: KeyRing, clock: Clock) -> None:
        self._provisioning = provisioning
        self._keys = keys
        self._clock = clock
        self._busy = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Held from before the list is read: few are in memory at a time. Raises SliceError CAPACITY."""
        if self._busy >= _AT_ONCE:
            raise SliceError(Code.CAPACITY, "Other lists of devices are being taken.", retry_after_s=2)
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    async def provision(
        self, tenant: Tenant, devices: Sequence[NewDevice], terms: Terms, seed: str | None = None
    ) -> tuple[list[Provisioned], bool]:
        """What became of each device, in their order, and whether it was done. Their ids are distinct."""
        whose = f"list\0{tenant.no}\0{seed or secrets.token_urlsafe(32)}"
        # Thousands of MACs: beside the event loop.
        made = await asyncio.to_thread(self._made, whose, devices)
        wanted = [
            WantedDevice(device.device_id, device.label, device.location, device.tags, key_id, mac, self._keys.pepper)
            for device, (key_id, _, mac) in zip(devices, made, strict=True)
        ]
        old_end_us = None if terms.overlap_s is None else self._clock.now_us() + terms.overlap_s * SECOND_US
        fates, done = await self._provisioning.provision(
            tenant.no,
            wanted,
            expires_us=terms.expires_us,
            old_end_us=old_end_us,
            all_or_nothing=terms.all_or_nothing,
            dry_run=terms.dry_run,
        )
        if done and Fate.ROTATED in fates:
            self._keys.forget_tenant(tenant.no)
        return [
            Provisioned(device.device_id, fate, key_id, token)
            if done and fate.has_new_key
            else Provisioned(device.device_id, fate, None, None)
            for device, fate, (key_id, token, _) in zip(devices, fates, made, strict=True)
        ], done

    def _made(self, whose: str, devices: Sequence[NewDevice]) -> list[tuple[str, str, bytes]]:
        return [self._keys.made_of(f"{whose}\0{device.device_id}".encode()) for device in devices]
