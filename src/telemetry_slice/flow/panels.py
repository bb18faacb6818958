"""What the panels of a dashboard show: one evaluation for whoever is signed in and for whoever has a link."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..model.dashboards import PanelAsk, Reporting, RollUp, Selection, Variable, VariableKind
from ..model.errors import Code, SliceError, invalid
from ..model.series import Bucket, LastValue, TimeRange
from ..model.tenancy import Device, Tenant
from ..model.times import HOUR_US, MINUTE_US
from ..ports.edge import Clock

ONLINE_US = 5 * MINUTE_US
LATE_US = HOUR_US
MAX_CHARTED = 20
"""Devices whose series one panel shows."""
MAX_LISTED = 200
"""Devices whose latest values one panel lists, and that need attention."""
MAX_COUNTED = 2_000
"""Devices that one panel counts."""
MAX_CHOICES = 500
_MOST_BUCKETS = 20_000
_AT_ONCE = 4
_PAGE = 1_000


class Series(Protocol):
    """One series at one resolution (`flow.query.SeriesAnswer`)."""

    @property
    def device_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def span(self) -> TimeRange: ...
    @property
    def bucket_s(self) -> int: ...
    @property
    def settled(self) -> bool: ...
    @property
    def buckets(self) -> Sequence[Bucket]: ...


class Readings(Protocol):
    """What is asked about devices and what they said last (`flow.query.Query`)."""

    async def device(self, tenant: Tenant, device_id: str) -> Device: ...

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
    ) -> Sequence[Device]: ...

    async def last_values(self, tenant: Tenant, devices: Sequence[Device]) -> Mapping[int, Sequence[LastValue]]: ...


ManySeries = Callable[[Tenant, Sequence[str], Sequence[str], TimeRange, int], Awaitable[Sequence[Series]]]
"""Every series of these types of these devices over a range, in at most so many buckets each."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A device with when something of it arrived last; None = never."""

    device: Device
    reporting: Reporting
    received_us: int | None


@dataclass(frozen=True, slots=True)
class PanelData:
    """What one panel shows.

    Attributes:
        labels: device id → what it is called, of every device that occurs.
        unknown: ids in the panel that no device has (any more).
        truncated: there are more devices than are shown or counted.
        problem: why there is nothing, as a sentence; None if all is well.
    """

    id: str
    series: Sequence[Series] = ()
    latest: Sequence[tuple[Device, LastValue]] = ()
    roll_up: Sequence[RollUp] = ()
    attention: Sequence[Reported] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    unknown: Sequence[str] = ()
    truncated: bool = False
    problem: str | None = None


Values = Mapping[str, Sequence[str]]
"""What was chosen, by the name of the variable."""


class Panels:
    """Evaluates panels. The tenant's own devices are all that it ever sees."""

    def __init__(self, readings: Readings, series: ManySeries, clock: Clock) -> None:
        self._readings = readings
        self._series = series
        self._clock = clock

    async def choices(self, tenant: Tenant, variable: Variable) -> list[tuple[str, str]]:
        """What may be chosen for a variable, with what it is called."""
        if variable.kind == VariableKind.LOCATION:
            found = variable.choices or await self._locations(tenant, variable)
            return [(each, each) for each in found]
        devices: Sequence[Device]
        if variable.choices:
            devices, _ = await self._named(tenant, variable.choices)
        else:
            devices = await self._page(tenant, variable.location, variable.tag, MAX_CHOICES)
        return [(device.id, device.label) for device in devices]

    async def _locations(self, tenant: Tenant, variable: Variable) -> list[str]:
        devices = await self._page(tenant, variable.location, variable.tag, MAX_COUNTED)
        return sorted({device.location for device in devices if device.location})[:MAX_CHOICES]

    async def check_values(self, tenant: Tenant, variables: Sequence[Variable], values: Values) -> None:
        """Refuse what the document does not offer: a variable with a default, and without choices or a condition, has
        its default alone. Raises SliceError INVALID.
        """
        for variable in variables:
            chosen = values.get(variable.name, ())
            is_free = variable.choices or variable.location or variable.tag or not variable.default
            for value in chosen:
                if value in variable.default or value in variable.choices:
                    continue
                if variable.choices or not is_free or not await self._fits(tenant, variable, value):
                    raise invalid(f"/values/{variable.name}", "The dashboard does not offer this.")

    async def _fits(self, tenant: Tenant, variable: Variable, value: str) -> bool:
        if variable.kind == VariableKind.LOCATION:
            return value in await self._locations(tenant, variable)
        devices, _ = await self._named(tenant, (value,))
        return bool(devices) and _matches(devices[0], variable.location, variable.tag)

    async def read(
        self, tenant: Tenant, asks: Sequence[PanelAsk], variables: Sequence[Variable], values: Values, span: TimeRange
    ) -> list[PanelData]:
        """What each panel shows, in their order.

        Raises SliceError INVALID for a value of a variable that there is not. What is wrong with one panel is told in
        it and costs the others nothing.
        """
        known = {variable.name: variable for variable in variables}
        for name in values:
            if name not in known:
                raise invalid(f"/values/{name}", "There is no such variable.")
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(ask: PanelAsk) -> PanelData:
            async with turn:
                try:
                    return await self._panel(tenant, ask, _meant(ask.selection, known, values), span)
                except SliceError as error:
                    if error.code not in {Code.INVALID, Code.NOT_FOUND}:
                        raise
                    return PanelData(ask.id, problem=error.detail)

        return await asyncio.gather(*map(one, asks))

    async def _panel(self, tenant: Tenant, ask: PanelAsk, selection: Selection, span: TimeRange) -> PanelData:
        if ask.roll_up or ask.attention:
            return await self._reporting(tenant, ask, selection)
        if not ask.points and not ask.latest:
            return PanelData(ask.id)
        most = MAX_CHARTED if ask.points else MAX_LISTED
        found_devices, unknown = await self._devices(tenant, selection, most + 1)
        truncated, devices = len(found_devices) > most, list(found_devices[:most])
        series: Sequence[Series] = ()
        if ask.points and ask.types and devices:
            points = min(ask.points, _MOST_BUCKETS // (len(devices) * len(ask.types)))
            series = await self._series(tenant, [device.id for device in devices], ask.types, span, points)
        latest: list[tuple[Device, LastValue]] = []
        if ask.latest:
            found = await self._readings.last_values(tenant, devices)
            latest = [
                (device, value)
                for device in devices
                for value in found.get(device.no, ())
                if not ask.types or value.type in ask.types
            ]
        labels = {device.id: device.label for device in devices}
        return PanelData(ask.id, series, latest, labels=labels, unknown=unknown, truncated=truncated)

    async def _reporting(self, tenant: Tenant, ask: PanelAsk, selection: Selection) -> PanelData:
        devices, unknown = await self._devices(tenant, selection, MAX_COUNTED + 1)
        truncated, devices = len(devices) > MAX_COUNTED, devices[:MAX_COUNTED]
        now_us = self._clock.now_us()
        reported: list[Reported] = []
        for start in range(0, len(devices), _PAGE):
            some = devices[start : start + _PAGE]
            found = await self._readings.last_values(tenant, some)
            reported += [_reported(device, found.get(device.no, ()), now_us) for device in some]
        places: dict[str, RollUp] = {}
        for each in reported:
            location = each.device.location
            places[location] = places.get(location, RollUp(location)).and_one(each.reporting)
        waiting = [each for each in reported if each.reporting in {Reporting.LATE, Reporting.SILENT}]
        waiting.sort(key=lambda each: (each.received_us or 0, each.device.id))
        return PanelData(
            ask.id,
            roll_up=[places[location] for location in sorted(places)] if ask.roll_up else (),
            attention=waiting[:MAX_LISTED] if ask.attention else (),
            unknown=unknown,
            truncated=truncated or (ask.attention and len(waiting) > MAX_LISTED),
        )

    async def _devices(self, tenant: Tenant, selection: Selection, limit: int) -> tuple[Sequence[Device], list[str]]:
        if selection.device_ids:
            return await self._named(tenant, selection.device_ids)
        return await self._page(tenant, selection.location, selection.tag, limit), []

    async def _named(self, tenant: Tenant, device_ids: Sequence[str]) -> tuple[list[Device], list[str]]:
        devices: list[Device] = []
        unknown: list[str] = []
        for device_id in dict.fromkeys(device_ids):
            try:
                devices.append(await self._readings.device(tenant, device_id))
            except SliceError:
                unknown.append(device_id)
        return devices, unknown

    async def _page(self, tenant: Tenant, location: str | None, tag: str | None, limit: int) -> Sequence[Device]:
        return await self._readings.device_page(
            tenant, query=None, tag=tag, location=location, sort="label", descending=False, after=None, limit=limit
        )


def _meant(selection: Selection, known: Mapping[str, Variable], values: Values) -> Selection:
    """The selection with what was chosen, or is chosen by default, in place of its variable."""
    if selection.variable is None:
        return selection
    variable = known.get(selection.variable)
    if variable is None:
        raise invalid("/panels", f"There is no variable {selection.variable}.")
    chosen = tuple(values.get(variable.name, ())) or variable.default
    if variable.kind == VariableKind.LOCATION:
        location = chosen[0] if chosen else variable.location
        return Selection(location=location, tag=selection.tag or variable.tag)
    return Selection(chosen or variable.choices, location=variable.location, tag=variable.tag)


def _matches(device: Device, location: str | None, tag: str | None) -> bool:
    return (location is None or device.location == location) and (tag is None or tag in device.tags)


def _reported(device: Device, values: Sequence[LastValue], now_us: int) -> Reported:
    received_us = max((value.received_us for value in values), default=None)
    if received_us is None:
        return Reported(device, Reporting.NEW, None)
    age_us = now_us - received_us
    reporting = Reporting.ONLINE if age_us < ONLINE_US else Reporting.LATE if age_us < LATE_US else Reporting.SILENT
    return Reported(device, reporting, received_us)
