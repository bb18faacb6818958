"""How readings are asked for and written: parameters, shapes, and the encoding that the reading routes share.

The shapes describe the answers in the API's document; the answers are written without them, since a page of a thousand
readings costs ten times as much through validated models.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Depends, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from ..flow.panels import Series
from ..flow.query import MAX_PAGE, Asked, SeriesAnswer
from ..model.errors import invalid
from ..model.events import MAX_TYPE, Kind, Value
from ..model.series import Bucket, LastValue, Reading, WholeEvent
from ..model.times import parse_time, rfc3339
from .schemas import Wire

MAX_TYPES = 50
_TIME = "RFC 3339 with offset, or epoch milliseconds."
_encode = msgspec.json.Encoder().encode

time_text = lru_cache(4096)(rfc3339)
"""`rfc3339`, remembered: readings of one request share their times."""


class ReadingView(Wire):
    """One stored measurement."""

    event_id: str
    type: str
    value: Value
    unit: str | None
    recorded_at: str
    received_at: str
    stored_at: str


class ReadingPage(Wire):
    """Readings in the order of recordedAt, and the cursor of the next ones."""

    events: list[ReadingView]
    next: str | None


class MeasurementView(Wire):
    """A value and its unit."""

    value: Value
    unit: str | None


class EventView(Wire):
    """One stored event, whole."""

    event_id: str
    recorded_at: str
    received_at: str
    stored_at: str
    measurements: dict[str, MeasurementView]


class EventPage(Wire):
    """Whole events in the order of recordedAt, and the cursor of the next ones."""

    events: list[EventView]
    next: str | None


class BucketView(Wire):
    """What was recorded within [start, start + bucketSeconds); min, avg and max of numbers only.

    `late`: how many of the readings were received more than a minute after they were recorded.
    """

    start: str
    count: int
    min: float | None
    avg: float | None
    max: float | None
    last: Value
    late: int


class SeriesView(Wire):
    """One series at one resolution. `settled`: nothing that arrives within 24 hours of recording can change it."""

    type: str
    unit: str | None
    from_: str = Field(alias="from")  # `from` is a word of Python's own
    to: str
    bucket_seconds: int
    settled: bool
    buckets: list[BucketView]


def moment(name: str, text: str | None) -> int | None:
    """The time in the parameter `name`, in µs. Raises SliceError INVALID naming it."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except (ValueError, OverflowError) as error:
        raise invalid(name, f"Not a time: {error}.") from None


def asked(
    from_: Annotated[
        str | None,
        Query(alias="from", max_length=40, description=f"Start, included. {_TIME} Default: 24 h before `to`."),
    ] = None,
    to: Annotated[str | None, Query(max_length=40, description=f"End, excluded. {_TIME} Default: now.")] = None,
    as_of: Annotated[
        str | None, Query(alias="asOf", max_length=40, description=f"Only what was stored by then. {_TIME}")
    ] = None,
) -> Asked:
    """The range of a request."""
    return Asked(moment("from", from_), moment("to", to), moment("asOf", as_of))


Range = Annotated[Asked, Depends(asked)]
Types = Annotated[
    list[Annotated[str, StringConstraints(max_length=MAX_TYPE)]] | None,
    Query(alias="type", max_length=MAX_TYPES, description="Only these types; may be repeated."),
]
Order = Annotated[Literal["asc", "desc"], Query(description="By recordedAt.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Cursor = Annotated[
    str | None, Query(max_length=2048, description="`next` of the page before; the other parameters stay the same.")
]


def answer(body: Mapping[str, Any]) -> Response:
    """A JSON answer that no cache keeps."""
    return Response(_encode(body), media_type="application/json", headers={"Cache-Control": "no-store"})


def reading_body(reading: Reading) -> dict[str, Any]:
    """A reading as the wire has it."""
    return {
        "eventId": reading.event_id,
        "type": reading.type,
        "value": reading.value,
        "unit": reading.unit,
        "recordedAt": rfc3339(reading.recorded_us),
        "receivedAt": time_text(reading.received_us),
        "storedAt": time_text(reading.stored_us),
    }


def event_body(event: WholeEvent) -> dict[str, Any]:
    """A whole event as the wire has it."""
    return {
        "eventId": event.event_id,
        "recordedAt": rfc3339(event.recorded_us),
        "receivedAt": time_text(event.received_us),
        "storedAt": time_text(event.stored_us),
        "measurements": {
            type_: {"value": bool(value) if kind == Kind.BOOLEAN else value, "unit": unit}
            for type_, unit, kind, value in event.measurements
        },
    }


def _bucket_body(bucket: Bucket) -> dict[str, Any]:
    return {
        "start": rfc3339(bucket.start_us),
        "count": bucket.count,
        "min": bucket.min,
        "avg": bucket.avg,
        "max": bucket.max,
        "last": bucket.last,
        "late": bucket.late,
    }


def series_body(series: SeriesAnswer | Series) -> dict[str, Any]:
    """A series as the wire has it."""
    return {
        "type": series.type,
        "unit": series.unit,
        "from": rfc3339(series.span.from_us),
        "to": rfc3339(series.span.to_us),
        "bucketSeconds": series.bucket_s,
        "settled": series.settled,
        "buckets": [_bucket_body(bucket) for bucket in series.buckets],
    }


def latest_body(device_id: str, value: LastValue) -> dict[str, Any]:
    """The newest reading of a series as the wire has it."""
    return {
        "deviceId": device_id,
        "type": value.type,
        "unit": value.unit,
        "value": value.value,
        "recordedAt": rfc3339(value.recorded_us),
        "receivedAt": rfc3339(value.received_us),
    }
