"""Stored telemetry of one device: pages of readings and of whole events, series, insights, types."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from ..flow.query import DEFAULT_POINTS, MAX_HOURS, MAX_POINTS
from ..model.events import MAX_TYPE, MAX_UNIT, Kind, Value
from ..model.times import rfc3339
from .paths import DeviceId
from .principal import Reader, TheServices
from .problems import problems
from .reading import (
    Cursor,
    EventPage,
    Limit,
    Order,
    Range,
    ReadingPage,
    SeriesView,
    Types,
    answer,
    event_body,
    reading_body,
    series_body,
)
from .schemas import Wire

router = APIRouter(tags=["telemetry"])


class InsightView(Wire):
    """A summary of one (type, unit); min, avg and max of numbers only."""

    type: str
    unit: str | None
    latest: Value
    min: float | None
    avg: float | None
    max: float | None
    count: int
    last_recorded_at: str


class Insights(Wire):
    """Summaries of the last `hours`."""

    hours: int
    insights: list[InsightView]


class TypeView(Wire):
    """Something a device has sent."""

    type: str
    unit: str | None
    kind: Literal["number", "boolean", "string"]


class DeviceTypes(Wire):
    """All that a device has ever sent."""

    types: list[TypeView]


@router.get(
    "/api/v1/devices/{deviceId}/telemetry",
    operation_id="readTelemetry",
    response_model=ReadingPage,
    responses=problems(404),
)
async def read_telemetry(
    device_id: DeviceId,
    caller: Reader,
    services: TheServices,
    *,
    asked: Range,
    types: Types = None,
    order: Order = "asc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Readings page by page, ordered by (recordedAt, eventId, type).

    Over all pages, what was stored before the first one appears exactly once, and what came later at most once.
    """
    readings, next_ = await services.query.readings(
        caller.tenant, device_id, asked, types=types, descending=order == "desc", limit=limit, cursor=cursor
    )
    return answer({"events": [reading_body(reading) for reading in readings], "next": next_})


@router.get(
    "/api/v2/devices/{deviceId}/telemetry",
    operation_id="readEvents",
    response_model=EventPage,
    responses=problems(404),
)
async def read_events(
    device_id: DeviceId,
    caller: Reader,
    services: TheServices,
    *,
    asked: Range,
    order: Order = "asc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Whole events with all their measurements, page by page, ordered by (recordedAt, eventId)."""
    events, next_ = await services.query.whole_events(
        caller.tenant, device_id, asked, descending=order == "desc", limit=limit, cursor=cursor
    )
    return answer({"events": [event_body(event) for event in events], "next": next_})


@router.get(
    "/api/v1/devices/{deviceId}/series",
    operation_id="readSeries",
    response_model=SeriesView,
    responses=problems(404),
)
async def read_series(
    device_id: DeviceId,
    caller: Reader,
    services: TheServices,
    *,
    asked: Range,
    type_: Annotated[str, Query(alias="type", min_length=1, max_length=MAX_TYPE)],
    unit: Annotated[
        str | None, Query(max_length=MAX_UNIT, description="Needed when the type has several; empty: without unit.")
    ] = None,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = DEFAULT_POINTS,
) -> Response:
    """One series in at most `points` buckets of [from, to).

    Buckets are counted from `from`, all `bucketSeconds` wide (the last may be cut by `to`), empty ones are omitted.
    `avg` is the exact mean, rounded once; `last` is the last by (recordedAt, eventId).
    """
    series = await services.query.series(caller.tenant, device_id, asked, type_=type_, unit=unit, points=points)
    return answer(series_body(series))


@router.get(
    "/api/v1/devices/{deviceId}/insights",
    operation_id="readInsights",
    response_model=Insights,
    responses=problems(404),
)
async def read_insights(
    device_id: DeviceId,
    caller: Reader,
    services: TheServices,
    *,
    hours: Annotated[int, Query(ge=1, le=MAX_HOURS)] = 24,
) -> Response:
    """A summary per (type, unit) of the last hours."""
    insights = await services.query.insights(caller.tenant, device_id, hours)
    return answer(
        {
            "hours": hours,
            "insights": [
                {
                    "type": insight.type,
                    "unit": insight.unit,
                    "latest": insight.latest,
                    "min": insight.min,
                    "avg": insight.avg,
                    "max": insight.max,
                    "count": insight.count,
                    "lastRecordedAt": rfc3339(insight.last_recorded_us),
                }
                for insight in insights
            ],
        }
    )


@router.get(
    "/api/v1/devices/{deviceId}/types", operation_id="readTypes", response_model=DeviceTypes, responses=problems(404)
)
async def read_types(device_id: DeviceId, caller: Reader, services: TheServices) -> Response:
    """Every (type, unit, kind) that the device has ever sent."""
    types = await services.query.types(caller.tenant, device_id)
    return answer(
        {"types": [{"type": each.type, "unit": each.unit, "kind": Kind(each.kind).name.lower()} for each in types]}
    )
