"""What is read back: ranges, pages, buckets, insights."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Measurement, Value
from .times import MINUTE_US

LATE_READING_US = MINUTE_US
"""A reading received more than this after it was recorded is late: clocks and repeats account for less."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The interval [from_us, to_us) of recorded time; `as_of_us` hides what was stored after that instant."""

    from_us: int
    to_us: int
    as_of_us: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order (recorded_us, event key, type), which has no ties."""

    recorded_us: int
    key: bytes
    type: str


@dataclass(slots=True)
class Seen:
    """How much of the store one caller has seen, read after read: a read that is given it happens where there is as
    much to be seen, and moves it on.

    Attributes:
        sight: what the store makes of it; empty before the first read, and where every read sees all there is.
    """

    sight: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One stored measurement of one event."""

    event_id: str
    device_id: str
    type: str
    unit: str | None
    value: Value
    recorded_us: int
    received_us: int
    stored_us: int
    key: bytes

    @property
    def position(self) -> Position:
        return Position(self.recorded_us, self.key, self.type)


@dataclass(frozen=True, slots=True)
class WholeEvent:
    """One stored event with all its measurements, sorted by type."""

    event_id: str
    recorded_us: int
    received_us: int
    stored_us: int
    measurements: tuple[Measurement, ...]
    key: bytes


@dataclass(frozen=True, slots=True)
class SeriesType:
    """A (type, unit, kind) that a device has sent."""

    type: str
    unit: str | None
    kind: int


@dataclass(frozen=True, slots=True)
class LastValue:
    """The newest reading of one series by the order of readings, and when the series last received anything."""

    device_no: int
    type: str
    unit: str | None
    value: Value
    recorded_us: int
    received_us: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """Numbers of one series within [start_us, start_us + width); `last` by the order of readings.

    Attributes:
        late: how many of the `count` readings were received more than `LATE_READING_US` after they were recorded.
    """

    start_us: int
    count: int
    min: float | None
    avg: float | None
    max: float | None
    last: Value
    late: int = 0


@dataclass(frozen=True, slots=True)
class Insight:
    """A summary of one (type, unit) over a range; min, avg, max only for numbers."""

    type: str
    unit: str | None
    latest: Value
    min: float | None
    avg: float | None
    max: float | None
    count: int
    last_recorded_us: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An accepted event that could not be stored, with its reason; `state` is dead or discarded."""

    id: int
    reason: str
    detail: str
    event_id: str
    device_id: str
    received_us: int
    body: dict[str, object]
    state: str
