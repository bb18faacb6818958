"""All devices of a tenant at once: who was heard when, how many of which kind, what they were like lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from .times import HOUR_US, MINUTE_US

ONLINE_US = 5 * MINUTE_US
LATE_US = HOUR_US


class DeviceStatus(StrEnum):
    """How long ago a device was heard: < 5 min, < 1 h, longer, never."""

    ONLINE = "online"
    LATE = "late"
    SILENT = "silent"
    NEW = "new"


def status_of(seen_us: int | None, now_us: int) -> DeviceStatus:
    """What a device is that was last heard at `seen_us`, None for never."""
    if seen_us is None:
        return DeviceStatus.NEW
    if now_us - seen_us < ONLINE_US:
        return DeviceStatus.ONLINE
    return DeviceStatus.LATE if now_us - seen_us < LATE_US else DeviceStatus.SILENT


class Heard(NamedTuple):
    """When a device last sent something of a type, by the clock of the gate."""

    device_no: int
    type: str
    received_us: int


class Listed(NamedTuple):
    """A device as the registry lists it; `search` is its id, label and location, case-folded."""

    no: int
    id: str
    label: str
    location: str
    tags: tuple[str, ...]
    created_us: int
    search: str


class Member(NamedTuple):
    """A device with when it was last heard, None for never, and the types it has ever sent, sorted."""

    device: Listed
    seen_us: int | None
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices are meant: those that hold everything that is given here.

    Attributes:
        query: part of id, label or location, whatever the case.
        tags: the device has all of them.
        locations, types, statuses: it has one of them; any if there are none.
    """

    query: str = ""
    tags: frozenset[str] = frozenset()
    locations: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    statuses: frozenset[DeviceStatus] = frozenset()


@dataclass(slots=True)
class RollUp:
    """How many devices are in each status."""

    online: int = 0
    late: int = 0
    silent: int = 0
    new: int = 0

    def add(self, status: DeviceStatus) -> None:
        """Count one more."""
        setattr(self, status, getattr(self, status) + 1)

    @property
    def devices(self) -> int:
        return self.online + self.late + self.silent + self.new


@dataclass(slots=True)
class Overview:
    """The fleet in counts. Each choice is counted as if it were not made yet, so that another can be made instead.

    Attributes:
        devices: of the tenant, whatever is wanted.
        matching: those that are wanted.
        statuses: of the devices that are wanted but for their status.
        locations: by name, of the devices that are wanted but for their location.
        types: how many devices send it, of those that are wanted but for their type.
        tags: how many devices have it, of those that are wanted.
    """

    devices: int = 0
    matching: int = 0
    statuses: RollUp = field(default_factory=RollUp)
    locations: dict[str, RollUp] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The numbers of one series in few buckets of one range, in their order; None where nothing was recorded."""

    device_no: int
    type: str
    unit: str | None
    min: Sequence[float | None]
    max: Sequence[float | None]
