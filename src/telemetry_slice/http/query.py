"""Many series, or many last values, with one request."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from starlette.responses import Response

from ..flow.query import DEFAULT_POINTS, MAX_POINTS, MAX_SERIES_AT_ONCE, Asked
from ..model.errors import invalid
from ..model.events import MAX_DEVICE_ID, MAX_TYPE, Value
from .principal import Reader, TheServices
from .problems import problems
from .reading import MAX_TYPES, SeriesView, answer, latest_body, moment, series_body
from .schemas import Wire

router = APIRouter(tags=["telemetry"])

Moment = Annotated[str | int, Field(union_mode="left_to_right")]


class TelemetryQuery(Wire):
    """What to read of which devices.

    `series`: every unit of every one of `types` (which is needed) of every device, in the same buckets over [from, to);
    at most 100 series and 20,000 buckets. `latest`: the newest reading of each series, of all types unless some are
    named; range and points do not matter.
    """

    select: Literal["series", "latest"]
    devices: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=MAX_DEVICE_ID)]],
        Field(min_length=1, max_length=MAX_SERIES_AT_ONCE),
    ]
    types: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=MAX_TYPE)]] | None,
        Field(min_length=1, max_length=MAX_TYPES),
    ] = None
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None
    as_of: Moment | None = None
    points: Annotated[int, Field(ge=1, le=MAX_POINTS)] = DEFAULT_POINTS


class DeviceSeries(SeriesView):
    """One series of one device."""

    device_id: str


class LatestView(Wire):
    """The newest reading of one series of one device."""

    device_id: str
    type: str
    unit: str | None
    value: Value
    recorded_at: str
    received_at: str


class QueryAnswer(Wire):
    """What was selected; the other list is absent."""

    series: list[DeviceSeries] | None = None
    latest: list[LatestView] | None = None


@router.post("/api/v1/query", operation_id="query", response_model=QueryAnswer, responses=problems(404))
async def query(body: TelemetryQuery, caller: Reader, services: TheServices) -> Response:
    """Series or latest values of several devices and types at once. An unknown or foreign device is a 404."""
    if body.select == "latest":
        latest = await services.query.many_latest(caller.tenant, body.devices, body.types)
        return answer({"latest": [latest_body(device.id, value) for device, value in latest]})
    if body.types is None:
        raise invalid("/types", "Name the types whose series you want.")
    asked = Asked(
        *(_moment(name, text) for name, text in (("/from", body.from_), ("/to", body.to), ("/asOf", body.as_of)))
    )
    series = await services.query.many_series(caller.tenant, body.devices, body.types, asked, body.points)
    return answer({"series": [{"deviceId": each.device_id, **series_body(each)} for each in series]})


def _moment(pointer: str, given: str | int | None) -> int | None:
    return moment(pointer, None if given is None else str(given))
