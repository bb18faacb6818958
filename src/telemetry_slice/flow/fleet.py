"""All devices of a tenant: counted, filtered and ordered by what only their telemetry tells.

Devices are in the registry and what they send is elsewhere, perhaps on another server, so that no statement can ask for
silent devices. Both are read whole, in two statements, at most once a second, and brought together here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from heapq import nlargest, nsmallest
from typing import Literal

from ..model.fleet import DeviceStatus, Heard, Listed, Member, Overview, RollUp, Sparkline, Wanted, status_of
from ..model.series import TimeRange
from ..model.tenancy import Device, Tenant
from ..model.times import HOUR_US
from ..ports.cache import FRESH_S, Cache
from ..ports.edge import Clock
from ..ports.fleet import FleetTelemetry
from ..ports.registry import Devices

MAX_SPARKLINES = 100
MAX_BUCKETS = 240
Sort = Literal["deviceId", "label", "location", "createdAt", "lastSeen", "status"]
Place = tuple[str | int, str]
"""Where a device stands in an order: what it is ordered by, and its id."""

_RANK = {DeviceStatus.SILENT: 0, DeviceStatus.LATE: 1, DeviceStatus.NEW: 2, DeviceStatus.ONLINE: 3}


def place_of(member: Member, sort: Sort, now_us: int) -> Place:
    """Of `status` the worst is first; a device that was never heard was `lastSeen` before all others."""
    device = member.device
    match sort:
        case "deviceId":
            return device.id, device.id
        case "label":
            return device.label, device.id
        case "location":
            return device.location, device.id
        case "createdAt":
            return device.created_us, device.id
        case "lastSeen":
            return member.seen_us or 0, device.id
        case "status":
            return _RANK[status_of(member.seen_us, now_us)], device.id


class Fleet:
    """What may be asked about all devices of a tenant."""

    def __init__(self, devices: Devices, telemetry: FleetTelemetry, clock: Clock, cache: Cache) -> None:
        self._devices = devices
        self._telemetry = telemetry
        self._clock = clock
        self._cache = cache

    async def _members(self, tenant: Tenant) -> Sequence[Member]:
        async def load() -> list[Member]:
            listed, heard = await asyncio.gather(self._devices.roster(tenant.no), self._telemetry.heard(tenant.no))
            # Some milliseconds for every thousand devices: others go on meanwhile.
            return await asyncio.to_thread(_together, listed, heard)

        return await self._cache.get(tenant.no, json.dumps(["fleet"]), list[Member], FRESH_S, load)

    async def overview(self, tenant: Tenant, wanted: Wanted) -> Overview:
        """The counts of the fleet."""
        members = await self._members(tenant)
        return await asyncio.to_thread(_counted, members, wanted, self._clock.now_us())

    async def page(
        self, tenant: Tenant, wanted: Wanted, *, sort: Sort, descending: bool, after: Place | None, limit: int
    ) -> Sequence[tuple[Device, Place]]:
        """Up to `limit` devices strictly after `after`, in order, each with its place."""
        members = await self._members(tenant)
        now_us = self._clock.now_us()

        def find() -> list[tuple[Place, Listed]]:
            places = (
                (place_of(member, sort, now_us), member.device)
                for member in members
                if _is_wanted(member, wanted, status_of(member.seen_us, now_us))
            )
            rest = (
                entry for entry in places if after is None or (entry[0] < after if descending else entry[0] > after)
            )
            return (nlargest if descending else nsmallest)(limit, rest, key=lambda entry: entry[0])

        return [
            (Device(d.no, d.id, d.label, d.location, d.tags, d.created_us), place)
            for place, d in await asyncio.to_thread(find)
        ]

    async def sparklines(
        self, tenant: Tenant, device_ids: Sequence[str], *, types: Sequence[str] | None, hours: int, buckets: int
    ) -> tuple[TimeRange, Sequence[tuple[Device, Sparkline]]]:
        """What the devices were like in the last `hours`, and the range that this is: it ends with the bucket that now
        is in. Devices that there are not, or that have never sent numbers, are omitted.
        """
        known = await self._devices.resolve(tenant.no, list(dict.fromkeys(device_ids)))
        devices = {device.no: device for device in known.values() if device.deleted_us is None}
        width_us = hours * HOUR_US // buckets
        to_us = (self._clock.now_us() // width_us + 1) * width_us
        span = TimeRange(to_us - width_us * buckets, to_us)
        numbers = sorted(devices)

        async def load() -> list[Sparkline]:
            return list(await self._telemetry.sparklines(tenant.no, numbers, span, buckets, types=types))

        asked = json.dumps(["sparklines", numbers, types, span.from_us, span.to_us, buckets])
        found = await self._cache.get(tenant.no, asked, list[Sparkline], FRESH_S, load)
        return span, [(devices[line.device_no], line) for line in found]


def _together(listed: Sequence[Listed], heard: Sequence[Heard]) -> list[Member]:
    seen: dict[int, int] = {}
    types: dict[int, list[str]] = {}
    for each in heard:
        seen[each.device_no] = max(each.received_us, seen.get(each.device_no, 0))
        types.setdefault(each.device_no, []).append(each.type)
    return [Member(device, seen.get(device.no), tuple(sorted(types.get(device.no, ())))) for device in listed]


def _is_wanted(member: Member, wanted: Wanted, status: DeviceStatus) -> bool:
    return (
        _is_named(member, wanted)
        and (not wanted.locations or member.device.location in wanted.locations)
        and (not wanted.types or not wanted.types.isdisjoint(member.types))
        and (not wanted.statuses or status in wanted.statuses)
    )


def _is_named(member: Member, wanted: Wanted) -> bool:
    return wanted.query.casefold() in member.device.search and wanted.tags.issubset(member.device.tags)


def _counted(members: Sequence[Member], wanted: Wanted, now_us: int) -> Overview:
    found = Overview(devices=len(members))
    for member in members:
        if not _is_named(member, wanted):
            continue
        device = member.device
        status = status_of(member.seen_us, now_us)
        here = not wanted.locations or device.location in wanted.locations
        typed = not wanted.types or not wanted.types.isdisjoint(member.types)
        such = not wanted.statuses or status in wanted.statuses
        if here and typed:
            found.statuses.add(status)
        if typed and such:
            found.locations.setdefault(device.location, RollUp()).add(status)
        if here and such:
            for type_ in member.types:
                found.types[type_] = found.types.get(type_, 0) + 1
        if here and typed and such:
            found.matching += 1
            for tag in device.tags:
                found.tags[tag] = found.tags.get(tag, 0) + 1
    return found
