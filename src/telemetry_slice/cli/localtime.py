"""Times as files write them: with or without offset, across the hour that happens twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..model.times import to_us

_EPOCH_UNITS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
"""(magnitude below which a number is in this unit, microseconds of the unit): seconds, milliseconds, microseconds."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone called `name`. Raises ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}; use a name such as Europe/Berlin or UTC") from error


def epoch_us(text: str) -> int:
    """Microseconds of an epoch number in seconds, milliseconds, microseconds or nanoseconds, told by its magnitude."""
    whole, _, fraction = text.partition(".")
    number = int(whole)
    for below, unit in _EPOCH_UNITS:
        if abs(number) < below:
            part = int(fraction.ljust(12, "0")[:12]) * unit // 10**12 if fraction else 0
            return number * unit + (-part if text.startswith("-") else part)
    return number // 1000


class LocalTimes:
    """Reads the times of one series of readings, in file order.

    In the hour that a clock change repeats, a local time means two instants. The order of the readings tells which: a
    step back (forward, where the newest comes first) begins the second pass through the hour. An unchanged time is a
    second reading of one instant, except where readings are an hour or more apart.

    Attributes:
        nonexistent: how many times fell into an hour that a clock change skips; they are read with the offset that
            was in force before the change.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._utc = zone.key in {"UTC", "Etc/UTC"}
        self._last: datetime | None = None
        self._fold: int | None = None
        self._step = timedelta()
        self.nonexistent = 0

    def read(self, text: str) -> int:
        """Microseconds of `text`. Raises ValueError when it is not a time."""
        text = text.strip()
        bare = text.removeprefix("-")
        date_alone = len(bare) == 8 and bare[:2] in {"19", "20"}
        if bare.replace(".", "", 1).isdecimal() and bare.isascii() and not date_alone:
            return epoch_us(text)
        try:
            moment = datetime.fromisoformat(text[:-1] + "Z" if text.endswith("z") else text)
        except ValueError:
            raise ValueError(
                f"{text!r} is not a time; expected 2026-01-31 12:00:00, 2026-01-31T12:00:00Z or epoch seconds"
            ) from None
        if moment.tzinfo is not None:
            return to_us(moment)
        if self._utc:
            return to_us(moment.replace(tzinfo=UTC))
        return self._read_local(moment)

    def _read_local(self, moment: datetime) -> int:
        first, second = moment.replace(tzinfo=self._zone), moment.replace(tzinfo=self._zone, fold=1)
        before, after = first.utcoffset() or timedelta(), second.utcoffset() or timedelta()
        step = moment - self._last if self._last is not None else timedelta()
        if before > after:  # this local time happens twice
            newest_first = self._step < timedelta()
            if self._fold is None:
                self._fold = 1 if newest_first else 0
            elif step == timedelta():
                if abs(self._step) >= before - after:
                    self._fold = 0 if newest_first else 1
            elif (step < timedelta()) is not newest_first:
                self._fold = 0 if newest_first else 1
                step = timedelta()  # the jump between the passes says nothing about the order of the file
        else:
            self._fold = None
            if before < after:
                self.nonexistent += 1
        self._last = moment
        if step:
            self._step = step
        return to_us(second if self._fold == 1 else first)
