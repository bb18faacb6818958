"""Reading back: ranges, pages and their cursors, the resolution of a series, many series at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..model.cursor import seal, unseal
from ..model.errors import Code, SliceError, invalid
from ..model.events import TenantNo
from ..model.series import Bucket, Insight, LastValue, Position, Reading, Seen, SeriesType, TimeRange, WholeEvent
from ..model.tenancy import Device, Tenant
from ..model.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from ..ports.cache import FRESH_S, LONGEST_S, SETTLED_S, Cache
from ..ports.edge import Clock
from ..ports.reads import Telemetry
from ..ports.registry import Devices

DEFAULT_RANGE_US = DAY_US
LATE_WINDOW_US = DAY_US
"""A range that ended this long ago counts as settled."""
STORING_US = MINUTE_US
"""No storing transaction is open longer, so that nothing appears any more before an `asOf` this old."""
MAX_PAGE = 1_000
MAX_POINTS = 2_000
DEFAULT_POINTS = 300
MAX_HOURS = 24 * 366
MAX_SERIES_AT_ONCE = 100
MAX_BUCKETS_AT_ONCE = 20_000
EXPORT_CHUNK = 2_000
WEEK_S = 7 * 86_400
LADDER_S = (
    1, 5, 10, 15, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, WEEK_S,
)  # fmt: skip
"""Widths of buckets in seconds; above them whole weeks."""

Item = TypeVar("Item", Reading, WholeEvent)


@dataclass(frozen=True, slots=True)
class Asked:
    """A range as the caller gave it; what is absent is chosen."""

    from_us: int | None = None
    to_us: int | None = None
    as_of_us: int | None = None

    def span(self, now_us: int) -> TimeRange:
        """The range meant: by default the 24 hours before its end, by default now.

        Raises:
            SliceError: INVALID, naming the end that is wrong.
        """
        to_us = now_us if self.to_us is None else self.to_us
        from_us = to_us - DEFAULT_RANGE_US if self.from_us is None else self.from_us
        if from_us >= to_us:
            end = "now" if self.to_us is None else "`to`"
            raise invalid("from", f"The range [from, to) is empty: `from` must lie before {end}.")
        return TimeRange(from_us, to_us, self.as_of_us)


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """One series of one device at one resolution.

    Attributes:
        settled: true when nothing that arrives in time can change it any more: the range ended more than 24 hours ago,
            or `asOf` lies more than a minute back. Later arrivals, replayed dead letters and retention still can change
            a settled range without `asOf`.
    """

    device_id: str
    type: str
    unit: str | None
    span: TimeRange
    bucket_s: int
    settled: bool
    buckets: Sequence[Bucket]


def bucket_width_s(span: TimeRange, points: int) -> int:
    """The narrowest round width by which at most `points` buckets, counted from the start, cover the range."""
    length_us = span.to_us - span.from_us
    for width_s in LADDER_S:
        if length_us <= width_s * SECOND_US * points:
            return width_s
    return -(-length_us // (WEEK_S * SECOND_US * points)) * WEEK_S


def is_settled(span: TimeRange, now_us: int) -> bool:
    """See `SeriesAnswer.settled`."""
    if span.as_of_us is not None and span.as_of_us <= now_us - STORING_US:
        return True
    return span.to_us <= now_us - LATE_WINDOW_US


def _choose(known: Sequence[SeriesType], type_: str, unit: str | None) -> SeriesType | None:
    """The series of `type_` that is meant; `unit` is None if not given, empty for the one without unit.

    Where one (type, unit) has values of several kinds, its numbers are meant.
    """
    found = [series for series in known if series.type == type_]
    units = sorted({series.unit or "" for series in found})
    if unit is None and len(units) > 1:
        listed = ", ".join(json.dumps(name, ensure_ascii=False) for name in units)
        raise invalid("unit", f'The type has several units; name one of {listed} ("" is the one without unit).')
    meant = [series for series in found if unit is None or (series.unit or "") == unit]
    return min(meant, key=lambda series: series.kind, default=None)


class Query:
    """What may be asked about stored telemetry. The device is always looked up within the tenant first."""

    def __init__(
        self, telemetry: Telemetry, devices: Devices, clock: Clock, cursor_secret: bytes, cache: Cache
    ) -> None:
        self._telemetry = telemetry
        self._cache = cache
        self._devices = devices
        self._clock = clock
        self._secret = cursor_secret

    async def device(self, tenant: Tenant, device_id: str) -> Device:
        """A device of the tenant. Raises SliceError NOT_FOUND for an unknown, a deleted and a foreign one alike."""

        async def load() -> Device:
            device = await self._devices.get(tenant.no, device_id)
            if device is None:
                raise SliceError(Code.NOT_FOUND, "There is no such device.")
            return device

        # Whoever changes a device has what is known of it forgotten.
        return await self._cache.get(tenant.no, json.dumps(["device", device_id]), Device, LONGEST_S, load)

    async def device_page(
        self,
        tenant: Tenant,
        *,
        query: str | None,
        tag: str | None,
        location: str | None,
        sort: str,
        descending: bool,
        after: tuple[str, str] | None,
        limit: int,
    ) -> Sequence[Device]:
        """As `ports.registry.Devices.page`."""

        async def load() -> list[Device]:
            return list(
                await self._devices.page(
                    tenant.no, query=query, tag=tag, location=location, sort=sort, descending=descending, after=after,
                    limit=limit,
                )
            )  # fmt: skip

        # New devices come with telemetry, and nobody is told.
        asked = json.dumps(["devices", query, tag, location, sort, descending, after, limit])
        return await self._cache.get(tenant.no, asked, list[Device], FRESH_S, load)

    async def readings(
        self,
        tenant: Tenant,
        device_id: str,
        asked: Asked,
        *,
        types: Sequence[str] | None,
        descending: bool,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Reading], str | None]:
        """One page of readings and the cursor of the next.

        Raises:
            SliceError: NOT_FOUND; INVALID naming the parameter.
        """
        device = await self.device(tenant, device_id)
        bound = json.dumps(["readings", device.no, sorted(set(types)) if types is not None else None, descending])
        span, after, seen = self._resume(tenant.no, bound, asked, cursor)
        found = await self._telemetry.readings(
            tenant.no, device.no, span, types=types, after=after, descending=descending, limit=limit + 1, seen=seen
        )
        return self._page(tenant.no, bound, span, found, limit, seen)

    async def whole_events(
        self, tenant: Tenant, device_id: str, asked: Asked, *, descending: bool, limit: int, cursor: str | None
    ) -> tuple[Sequence[WholeEvent], str | None]:
        """One page of whole events and the cursor of the next. Raises as `readings`."""
        device = await self.device(tenant, device_id)
        bound = json.dumps(["events", device.no, descending])
        span, after, seen = self._resume(tenant.no, bound, asked, cursor)
        found = await self._telemetry.whole_events(
            tenant.no, device.no, span, after=after, descending=descending, limit=limit + 1, seen=seen
        )
        return self._page(tenant.no, bound, span, found, limit, seen)

    def _resume(
        self, tenant: TenantNo, bound: str, asked: Asked, cursor: str | None
    ) -> tuple[TimeRange, Position | None, Seen]:
        """The range, the place and what was seen, that a cursor carries; a range given again must be the same."""
        if cursor is None:
            return asked.span(self._clock.now_us()), None, Seen()
        from_us, to_us, as_of_us, recorded_us, key, type_, *sight = unseal(self._secret, tenant, bound, cursor)
        span = TimeRange(int(from_us), int(to_us), None if as_of_us == "" else int(as_of_us))
        for given, kept in ((asked.from_us, span.from_us), (asked.to_us, span.to_us), (asked.as_of_us, span.as_of_us)):
            if given is not None and given != kept:
                raise invalid(
                    "cursor", "This cursor belongs to another range: repeat `from`, `to` and `asOf`, or none."
                )
        return span, Position(int(recorded_us), bytes.fromhex(str(key)), str(type_)), Seen(*map(str, sight))

    def _page(
        self, tenant: TenantNo, bound: str, span: TimeRange, found: Sequence[Item], limit: int, seen: Seen
    ) -> tuple[Sequence[Item], str | None]:
        if len(found) <= limit:
            return found, None
        last = found[limit - 1]
        as_of = "" if span.as_of_us is None else span.as_of_us
        place = [span.from_us, span.to_us, as_of, last.recorded_us, last.key.hex(), getattr(last, "type", "")]
        if seen.sight:
            place.append(seen.sight)
        return found[:limit], seal(self._secret, tenant, bound, place)

    async def series(
        self, tenant: Tenant, device_id: str, asked: Asked, *, type_: str, unit: str | None, points: int
    ) -> SeriesAnswer:
        """One series in at most `points` buckets of [from, to), counted from its start; the last may be cut by `to`.

        Raises:
            SliceError: NOT_FOUND; INVALID naming the parameter, `unit` when the type has several.
        """
        device = await self.device(tenant, device_id)
        now_us = self._clock.now_us()
        span = _whole_seconds(asked, now_us)
        series = _choose(await self._types(tenant.no, device), type_, unit)
        if series is None:
            width_s = bucket_width_s(span, points)
            return SeriesAnswer(device.id, type_, unit or None, span, width_s, is_settled(span, now_us), ())
        return await self._series(tenant.no, device, series, span, points)

    async def _series(
        self, tenant: TenantNo, device: Device, series: SeriesType, span: TimeRange, points: int
    ) -> SeriesAnswer:
        width_s = bucket_width_s(span, points)
        # Asked before reading: what settles while we read was not settled in what we read.
        settled = is_settled(span, self._clock.now_us())
        asked = ["series", device.no, series.type, series.unit, series.kind, span.from_us, span.to_us, span.as_of_us]

        async def load() -> list[Bucket]:
            return list(await self._telemetry.buckets(tenant, device.no, series, span, width_s * SECOND_US))

        buckets = await self._cache.get(
            # An answer from before it was settled is none to a question from after it.
            tenant,
            json.dumps([*asked, width_s, settled]),
            list[Bucket],
            SETTLED_S if settled else FRESH_S,
            load,
        )
        return SeriesAnswer(device.id, series.type, series.unit, span, width_s, settled, buckets)

    async def insights(self, tenant: Tenant, device_id: str, hours: int) -> Sequence[Insight]:
        """A summary per (type, unit) of the last `hours`. Raises SliceError NOT_FOUND."""
        device = await self.device(tenant, device_id)

        async def load() -> list[Insight]:
            now_us = self._clock.now_us()
            span = TimeRange(now_us - hours * HOUR_US, now_us)
            return list(await self._telemetry.insights(tenant.no, device.no, span))

        return await self._cache.get(
            tenant.no, json.dumps(["insights", device.no, hours]), list[Insight], FRESH_S, load
        )

    async def types(self, tenant: Tenant, device_id: str) -> Sequence[SeriesType]:
        """What the device has ever sent. Raises SliceError NOT_FOUND."""
        return await self._types(tenant.no, await self.device(tenant, device_id))

    async def _types(self, tenant: TenantNo, device: Device) -> Sequence[SeriesType]:
        async def load() -> list[SeriesType]:
            return list(await self._telemetry.types(tenant, device.no))

        return await self._cache.get(tenant, json.dumps(["types", device.no]), list[SeriesType], FRESH_S, load)

    async def last_values(self, tenant: Tenant, devices: Sequence[Device]) -> Mapping[int, Sequence[LastValue]]:
        """Device number → the newest reading of each of its series; devices without readings are omitted."""
        numbers = [device.no for device in devices]

        async def load() -> list[LastValue]:
            found = await self._telemetry.last_values(tenant.no, numbers)
            return [value for number in found for value in found[number]]

        answer: dict[int, list[LastValue]] = {}
        if numbers:
            asked = json.dumps(["last values", numbers])
            for value in await self._cache.get(tenant.no, asked, list[LastValue], FRESH_S, load):
                answer.setdefault(value.device_no, []).append(value)
        return answer

    async def many_series(
        self, tenant: Tenant, device_ids: Sequence[str], types: Sequence[str], asked: Asked, points: int
    ) -> Sequence[SeriesAnswer]:
        """Every series of `types` of the devices, all units, in the order asked.

        Raises:
            SliceError: NOT_FOUND naming the device; INVALID for an empty range, more than `MAX_SERIES_AT_ONCE` series
                or more than `MAX_BUCKETS_AT_ONCE` buckets.
        """
        span = _whole_seconds(asked, self._clock.now_us())
        wanted: list[tuple[Device, SeriesType]] = []
        for device in await self._each(tenant, device_ids):
            known = await self._types(tenant.no, device)
            for type_ in dict.fromkeys(types):
                units = dict.fromkeys(series.unit for series in known if series.type == type_)
                chosen = [_choose(known, type_, unit or "") for unit in units]
                wanted += [(device, series) for series in chosen if series is not None]
        if len(wanted) > MAX_SERIES_AT_ONCE:
            raise invalid("/devices", f"These are {len(wanted)} series; at most {MAX_SERIES_AT_ONCE} at once.")
        if len(wanted) * points > MAX_BUCKETS_AT_ONCE:
            detail = f"These are {len(wanted)} series: at most {MAX_BUCKETS_AT_ONCE // len(wanted)} points each."
            raise invalid("/points", detail)
        return [await self._series(tenant.no, device, series, span, points) for device, series in wanted]

    async def many_latest(
        self, tenant: Tenant, device_ids: Sequence[str], types: Sequence[str] | None
    ) -> Sequence[tuple[Device, LastValue]]:
        """The newest reading of every series (of `types`) of the devices, in the order asked.

        Raises:
            SliceError: NOT_FOUND naming the device.
        """
        devices = await self._each(tenant, device_ids)
        found = await self.last_values(tenant, devices)
        wanted = None if types is None else frozenset(types)
        return [
            (device, value)
            for device in devices
            for value in found.get(device.no, ())
            if wanted is None or value.type in wanted
        ]

    async def _each(self, tenant: Tenant, device_ids: Sequence[str]) -> list[Device]:
        known = await self._devices.resolve(tenant.no, list(device_ids))
        devices: list[Device] = []
        for index, device_id in enumerate(device_ids):
            device = known.get(device_id)
            if device is None or device.deleted_us is not None:
                refusal = invalid(f"/devices/{index}", "There is no such device.")
                raise SliceError(Code.NOT_FOUND, refusal.detail, fields=refusal.fields)
            if device not in devices:
                devices.append(device)
        return devices

    async def export(
        self, tenant: Tenant, device_id: str, asked: Asked, *, types: Sequence[str] | None
    ) -> AsyncIterator[Sequence[Reading]]:
        """Chunks of all readings of the range, oldest first; one chunk is held at a time. Raises as `readings`."""
        device = await self.device(tenant, device_id)
        return self._chunks(tenant.no, device, asked.span(self._clock.now_us()), types)

    async def _chunks(
        self, tenant: TenantNo, device: Device, span: TimeRange, types: Sequence[str] | None
    ) -> AsyncIterator[Sequence[Reading]]:
        after: Position | None = None
        seen = Seen()
        while True:
            found = await self._telemetry.readings(
                tenant, device.no, span, types=types, after=after, descending=False, limit=EXPORT_CHUNK, seen=seen
            )
            if found:
                yield found
            if len(found) < EXPORT_CHUNK:
                return
            after = found[-1].position


def _whole_seconds(asked: Asked, now_us: int) -> TimeRange:
    """The range of a chart: one that ends now ends with the second, so that its buckets start on whole seconds."""
    return asked.span(-(-now_us // SECOND_US) * SECOND_US)
