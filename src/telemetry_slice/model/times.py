"""Instants: int microseconds UTC since 1970 inside, RFC 3339 at the edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_RECORDED_US = int((datetime(2000, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * SECOND_US
LATEST_AHEAD_US = DAY_US

_MICROSECOND = timedelta(microseconds=1)
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
MAX_EPOCH_MS = 8_640_000_000_000_000
"""The widest epoch milliseconds taken, ECMAScript's own range (ECMA-262 §21.4.1.1)."""


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware `moment`. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset")
    return (moment - EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """The aware UTC moment of `us`. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=us)


def rfc3339(us: int) -> str:
    """`us` as RFC 3339 UTC with six decimals. Outside the years 1 to 9999 the nearest such instant is written."""
    moment = EPOCH + timedelta(microseconds=min(max(us, _FIRST_US), _LAST_US))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment.year >= 1000 else moment.isoformat()[:26] + "Z"


def parse_time(text: str) -> int:
    """Microseconds of an RFC 3339 text with offset, or of integer epoch milliseconds.

    Raises:
        ValueError: not a time, without offset, or out of range.
    """
    if text.lstrip("-").isdecimal() and text.isascii():
        milliseconds = int(text)
        if abs(milliseconds) > MAX_EPOCH_MS:
            raise ValueError("epoch milliseconds out of range")
        return milliseconds * 1000
    if len(text) < 11 or text[10] not in "Tt ":
        raise ValueError("expected RFC 3339 with offset, for example 2026-01-31T12:00:00Z, or epoch milliseconds")
    # An unescaped + in a query string arrives as a space before the offset.
    return to_us(datetime.fromisoformat(text[:11] + text[11:].replace(" ", "+").replace("z", "Z")))
