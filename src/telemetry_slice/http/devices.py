"""Devices: the list with its last values, and the registry's changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, StringConstraints

from ..flow.fleet import Place, Sort
from ..model.cursor import seal, unseal
from ..model.errors import Code, SliceError
from ..model.events import TenantNo, Value
from ..model.fleet import DeviceStatus, Wanted, status_of
from ..model.permissions import Permission
from ..model.series import LastValue
from ..model.tenancy import Device, Tenant
from ..model.times import rfc3339
from .auditing import AuditedRoute
from .fleet import WantedDevices
from .paths import DeviceId
from .principal import Caller, TheServices, allowed_in_tenant
from .problems import problems
from .schemas import NewDeviceId, Plain, Text200, Wire

router = APIRouter(prefix="/api/v1/devices", tags=["devices"], route_class=AuditedRoute)

MAX_TAGS = 32


class LastValueView(Wire):
    """The newest reading of one series."""

    type: str
    value: Value
    unit: str | None
    recorded_at: str


class DeviceView(Wire):
    """A device with what it said last. `lastSeen` is when something last arrived."""

    device_id: str
    label: str
    location: str
    tags: list[str]
    status: DeviceStatus
    last_seen: str | None
    last_values: list[LastValueView]
    created_at: str


class DevicePage(Wire):
    """Some devices, and the cursor of the next ones."""

    devices: list[DeviceView]
    next: str | None


def _distinct(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Tag = Annotated[str, StringConstraints(min_length=1, max_length=64), Plain]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_distinct)]


class NewDevice(Wire):
    """A device to create; the label is the id unless given."""

    device_id: NewDeviceId
    label: Text200 | None = None
    location: Text200 = ""
    tags: Tags = Field(default_factory=list)


class DeviceChange(Wire):
    """What to change; absent fields stay."""

    label: Text200 | None = None
    location: Text200 | None = None
    tags: Tags | None = None


def _view(device: Device, values: Sequence[LastValue], now_us: int) -> DeviceView:
    seen_us = max((value.received_us for value in values), default=None)
    return DeviceView(
        device_id=device.id,
        label=device.label,
        location=device.location,
        tags=list(device.tags),
        status=status_of(seen_us, now_us),
        last_seen=None if seen_us is None else rfc3339(seen_us),
        last_values=[
            LastValueView(type=v.type, value=v.value, unit=v.unit, recorded_at=rfc3339(v.recorded_us))
            for v in sorted(values, key=lambda v: (v.type, v.unit or ""))
        ],
        created_at=rfc3339(device.created_us),
    )


async def _views(services: TheServices, tenant: Tenant, devices: Sequence[Device]) -> list[DeviceView]:
    last: Mapping[int, Sequence[LastValue]] = await services.query.last_values(tenant, devices)
    now_us = services.clock.now_us()
    return [_view(device, last.get(device.no, ()), now_us) for device in devices]


async def find_device(services: TheServices, tenant: TenantNo, device_id: str) -> Device:
    """A device of the tenant. Raises SliceError NOT_FOUND for an unknown, a deleted and a foreign one alike."""
    device = await services.devices.get(tenant, device_id)
    if device is None:
        raise missing_device()
    return device


def missing_device() -> SliceError:
    """The refusal for a device that the tenant does not have."""
    return SliceError(Code.NOT_FOUND, "There is no such device.")


_REGISTRY_SORTS = ("deviceId", "label", "location", "createdAt")


async def _page(
    services: TheServices,
    tenant: Tenant,
    wanted: Wanted,
    *,
    sort: Sort,
    descending: bool,
    after: Place | None,
    limit: int,
) -> Sequence[tuple[Device, Place]]:
    """Up to `limit` devices after `after`, each with its place in the order."""
    of_telemetry = sort not in _REGISTRY_SORTS or wanted.types or wanted.statuses
    if of_telemetry or len(wanted.tags) > 1 or len(wanted.locations) > 1:
        return await services.fleet.page(tenant, wanted, sort=sort, descending=descending, after=after, limit=limit)
    devices = await services.query.device_page(
        tenant,
        query=wanted.query or None,
        tag=next(iter(wanted.tags), None),
        location=next(iter(wanted.locations), None),
        sort=sort,
        descending=descending,
        after=None if after is None else (str(after[0]), after[1]),
        limit=limit,
    )
    at = {"deviceId": "id", "createdAt": "created_us"}.get(sort, sort)
    return [(device, (getattr(device, at), device.id)) for device in devices]


@router.get("", operation_id="listDevices", responses=problems())
async def list_devices(
    *,
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_DEVICES)],
    services: TheServices,
    wanted: WantedDevices,
    sort: Annotated[Sort, Query(description="By `status` the silent are first, by `lastSeen` the never seen.")] = (
        "deviceId"
    ),
    order: Literal["asc", "desc"] = "asc",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=2048)] = None,
) -> DevicePage:
    """Devices with their last values, page by page."""
    tenant = caller.tenant
    filters = (wanted.tags, wanted.locations, wanted.types, wanted.statuses)
    bound = json.dumps(["devices", wanted.query, *map(sorted, filters), sort, order])
    after = None if cursor is None else _place(unseal(services.cursor_secret, tenant.no, bound, cursor))
    found = await _page(services, tenant, wanted, sort=sort, descending=order == "desc", after=after, limit=limit + 1)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = seal(services.cursor_secret, tenant.no, bound, list(shown[-1][1]))
    return DevicePage(devices=await _views(services, tenant, [device for device, _ in shown]), next=following)


def _place(sealed: Sequence[str | int]) -> Place:
    return sealed[0], str(sealed[1])


@router.post("", operation_id="createDevice", status_code=201, responses=problems(409))
async def create_device(
    body: NewDevice, caller: Annotated[Caller, allowed_in_tenant(Permission.CREATE_DEVICES)], services: TheServices
) -> DeviceView:
    """Create a device. An id that ever was in use is taken: its history is still there."""
    caller.note.target = body.device_id
    label = body.device_id if body.label is None else body.label
    device = await services.devices.create(
        caller.tenant.no, body.device_id, label=label, location=body.location, tags=body.tags
    )
    services.devices_changed(caller.tenant.no)
    return _view(device, (), services.clock.now_us())


@router.get("/{deviceId}", operation_id="getDevice", responses=problems(404))
async def get_device(
    device_id: DeviceId, caller: Annotated[Caller, allowed_in_tenant(Permission.READ_DEVICES)], services: TheServices
) -> DeviceView:
    """One device with its last values."""
    device = await services.query.device(caller.tenant, device_id)
    return (await _views(services, caller.tenant, [device]))[0]


@router.patch("/{deviceId}", operation_id="changeDevice", responses=problems(404))
async def change_device(
    device_id: DeviceId,
    body: DeviceChange,
    caller: Annotated[Caller, allowed_in_tenant(Permission.CHANGE_DEVICES)],
    services: TheServices,
) -> DeviceView:
    """Change label, location or tags."""
    caller.note.detail["fields"] = ", ".join(sorted(body.model_fields_set))
    device = await services.devices.change(
        caller.tenant.no, device_id, label=body.label, location=body.location, tags=body.tags
    )
    if device is None:
        raise missing_device()
    services.devices_changed(caller.tenant.no)
    return (await _views(services, caller.tenant, [device]))[0]


@router.delete("/{deviceId}", operation_id="deleteDevice", status_code=204, responses=problems(404))
async def delete_device(
    device_id: DeviceId, caller: Annotated[Caller, allowed_in_tenant(Permission.DELETE_DEVICES)], services: TheServices
) -> None:
    """Delete a device: its keys end, its history stays."""
    device = await find_device(services, caller.tenant.no, device_id)
    deleted = await services.devices.delete(caller.tenant.no, device_id)
    services.access.keys.forget_device(device.no)
    services.devices_changed(caller.tenant.no)
    if not deleted:
        raise missing_device()
