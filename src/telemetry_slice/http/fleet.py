"""The fleet: counts of all devices, and what many were like lately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import StringConstraints
from starlette.responses import Response

from ..flow.fleet import MAX_BUCKETS, MAX_SPARKLINES
from ..model.errors import invalid
from ..model.events import MAX_DEVICE_ID, MAX_TYPE
from ..model.fleet import DeviceStatus, RollUp, Wanted
from ..model.permissions import Permission
from ..model.times import rfc3339
from .principal import Caller, Reader, TheServices, allowed_in_tenant
from .problems import problems
from .reading import Types, answer
from .schemas import Wire

router = APIRouter(prefix="/api/v1", tags=["devices"])

MOST_NAMES = 1_000
"""Of each kind; the most frequent are told."""
MOST_CHOICES = 100


class StatusCounts(Wire):
    """How many devices are in each status."""

    online: int
    late: int
    silent: int
    new: int


class LocationCounts(StatusCounts):
    """The same of one location."""

    location: str


class NameCount(Wire):
    """How many devices have a type or tag."""

    name: str
    devices: int


class FleetView(Wire):
    """The fleet in counts. `devices` is of all; the others are of what is asked for, each as if its own filter were
    not set, `tags` excepted. Of locations, types and tags the 1,000 most frequent are told, by name.
    """

    devices: int
    matching: int
    statuses: StatusCounts
    locations: list[LocationCounts]
    types: list[NameCount]
    tags: list[NameCount]


class SparklineView(Wire):
    """The least and the greatest number of each bucket; null where nothing was recorded."""

    device_id: str
    type: str
    unit: str | None
    min: list[float | None]
    max: list[float | None]


class SparklinesView(Wire):
    """One sparkline for each device that has sent numbers; all have the same buckets."""

    start: str
    bucket_seconds: int
    sparklines: list[SparklineView]


def _wanted(
    q: Annotated[str | None, Query(max_length=200, description="Part of id, label or location.")] = None,
    tag: Annotated[
        list[Annotated[str, StringConstraints(max_length=64)]] | None,
        Query(max_length=MOST_CHOICES, description="May be repeated: the device has all of them."),
    ] = None,
    location: Annotated[
        list[Annotated[str, StringConstraints(max_length=200)]] | None,
        Query(max_length=MOST_CHOICES, description="May be repeated: the device is at one of them."),
    ] = None,
    type_: Annotated[
        list[Annotated[str, StringConstraints(max_length=MAX_TYPE)]] | None,
        Query(alias="type", max_length=MOST_CHOICES, description="May be repeated: the device has sent one of them."),
    ] = None,
    status: Annotated[
        list[DeviceStatus] | None, Query(max_length=4, description="May be repeated: the device is in one of them.")
    ] = None,
) -> Wanted:
    """The filter of a list of devices."""
    return Wanted(
        q or "", frozenset(tag or ()), frozenset(location or ()), frozenset(type_ or ()), frozenset(status or ())
    )


WantedDevices = Annotated[Wanted, Depends(_wanted)]


@router.get("/fleet", operation_id="readFleet", response_model=FleetView, responses=problems())
async def read_fleet(
    wanted: WantedDevices, caller: Annotated[Caller, allowed_in_tenant(Permission.READ_DEVICES)], services: TheServices
) -> Response:
    """How many devices there are, in which status, where, and of which kind."""
    found = await services.fleet.overview(caller.tenant, wanted)
    locations = sorted(found.locations.items(), key=lambda item: -item[1].devices)[:MOST_NAMES]
    return answer(
        {
            "devices": found.devices,
            "matching": found.matching,
            "statuses": _counts(found.statuses),
            "locations": [{"location": name} | _counts(roll_up) for name, roll_up in sorted(locations)],
            "types": _names(found.types),
            "tags": _names(found.tags),
        }
    )


def _counts(roll_up: RollUp) -> dict[str, Any]:
    return {status: getattr(roll_up, status) for status in DeviceStatus}


def _names(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    most = sorted(counts.items(), key=lambda item: -item[1])[:MOST_NAMES]
    return [{"name": name, "devices": count} for name, count in sorted(most)]


@router.get("/sparklines", operation_id="readSparklines", response_model=SparklinesView, responses=problems())
async def read_sparklines(
    *,
    device: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=MAX_DEVICE_ID)]],
        Query(min_length=1, max_length=MAX_SPARKLINES, description="Repeated; an unknown device has no sparkline."),
    ],
    types: Types = None,
    hours: Annotated[int, Query(ge=1, le=24 * 31)] = 24,
    points: Annotated[int, Query(ge=2, le=MAX_BUCKETS)] = 48,
    caller: Reader,
    services: TheServices,
) -> Response:
    """The last hours of many devices in few points: of each its first series of numbers, by type and unit."""
    if hours * 3600 % points:
        raise invalid("points", f"{hours} hours must be a whole number of seconds for each point: {points} is none.")
    span, found = await services.fleet.sparklines(caller.tenant, device, types=types, hours=hours, buckets=points)
    return answer(
        {
            "start": rfc3339(span.from_us),
            "bucketSeconds": hours * 3600 // points,
            "sparklines": [
                {"deviceId": of.id, "type": line.type, "unit": line.unit, "min": line.min, "max": line.max}
                for of, line in found
            ],
        }
    )
