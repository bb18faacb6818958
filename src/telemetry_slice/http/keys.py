"""Keys of devices, and the tenant's gateway and service keys."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import AfterValidator, Field

from ..model.errors import Code, SliceError, invalid
from ..model.events import TenantNo
from ..model.permissions import Permission
from ..model.tenancy import KeyKind, Principal, Scope, ServiceKey
from ..model.times import SECOND_US, parse_time, rfc3339
from ..ports.registry import KeyRecord
from .auditing import AuditedRoute
from .devices import find_device
from .paths import DeviceId
from .principal import Caller, TheServices, allowed_in_tenant
from .problems import problems
from .schemas import Text200, Wire

router = APIRouter(prefix="/api/v1", tags=["keys"], route_class=AuditedRoute)

KeyId = Annotated[str, Path(alias="keyId", max_length=64)]
MAX_OVERLAP_S = 30 * 24 * 3600
DEFAULT_OVERLAP_S = 24 * 3600


def _network(text: str) -> str:
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("Expected an address or a network, for example 192.0.2.0/24.") from None


class KeyView(Wire):
    """A key without its secret. `lastUsedAt`, `lastUsedFrom`: accurate to a minute. `replacedBy`: the next one."""

    key_id: str
    kind: KeyKind
    name: str
    scopes: list[Scope]
    addresses: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    last_used_from: str | None
    expires_soon: bool
    replaced_by: str | None
    revoked_at: str | None


class IssuedKey(KeyView):
    """A new key; `key` is shown this once."""

    key: str


class KeyList(Wire):
    """Keys, newest first."""

    keys: list[KeyView]


class NewDeviceKey(Wire):
    """A key for a device."""

    name: Text200 = ""
    expires_at: str | None = None


class NewKey(Wire):
    """A gateway or service key. A gateway key sends for any device; a service key does what its scopes say."""

    kind: Literal[KeyKind.GATEWAY, KeyKind.SERVICE]
    name: Text200 = ""
    scopes: Annotated[set[Scope], Field(max_length=len(Scope), default_factory=set)]
    expires_at: str | None = None
    addresses: Annotated[list[Annotated[str, AfterValidator(_network)]], Field(max_length=32, default_factory=list)]


class Rotation(Wire):
    """Until when the old key goes on beside the new one, a day unless told, and when the new one ends."""

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S)] | None = None
    old_ends_at: str | None = None
    expires_at: str | None = None


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)


def shown(services: TheServices, record: KeyRecord) -> KeyView:
    """A key as it is listed."""
    return KeyView(
        key_id=record.key_id,
        kind=record.kind,
        name=record.name,
        scopes=sorted(record.scopes),
        addresses=list(record.addresses),
        created_at=rfc3339(record.created_us),
        expires_at=_time(record.expires_us),
        last_used_at=_time(record.last_used_us),
        last_used_from=record.last_address,
        expires_soon=services.access.keys.ends_soon(record),
        replaced_by=record.replaced_by,
        revoked_at=_time(record.revoked_us),
    )


def _issued(services: TheServices, record: KeyRecord, token: str) -> IssuedKey:
    return IssuedKey(**shown(services, record).model_dump(), key=token)


def note_issued(caller: Caller, record: KeyRecord, *, in_place_of: str | None = None) -> None:
    """What the audit says of a new key: not its text."""
    caller.note.target = record.key_id
    caller.note.detail |= {
        "kind": record.kind.value,
        "device": record.device_id,
        "name": record.name,
        "scopes": " ".join(sorted(record.scopes)),
        "expiresAt": _time(record.expires_us),
        "inPlaceOf": in_place_of,
    }


def expiry(services: TheServices, text: str | None, pointer: str = "/expiresAt") -> int | None:
    """When something ends. Raises SliceError INVALID for what is no time of the future."""
    if text is None:
        return None
    try:
        expires_us = parse_time(text)
    except (ValueError, OverflowError) as error:
        raise invalid(pointer, f"Not a time: {error}.") from None
    if expires_us <= services.clock.now_us():
        raise invalid(pointer, "Must lie in the future.")
    return expires_us


async def _rotated(caller: Caller, services: TheServices, old: KeyRecord, wanted: Rotation) -> IssuedKey:
    if old.kind == KeyKind.CERTIFICATE:
        raise SliceError(Code.CONFLICT, "A certificate is not rotated: register the next one beside it.")
    now_us = services.clock.now_us()
    if wanted.old_ends_at is None:
        overlap_s = DEFAULT_OVERLAP_S if wanted.overlap_seconds is None else wanted.overlap_seconds
        old_end_us = now_us + overlap_s * SECOND_US
    elif wanted.overlap_seconds is not None:
        raise invalid("/oldEndsAt", "Give this or overlapSeconds.")
    else:
        old_end_us = expiry(services, wanted.old_ends_at, "/oldEndsAt") or now_us
        if old_end_us > now_us + MAX_OVERLAP_S * SECOND_US:
            raise invalid("/oldEndsAt", "The old key may go on for 30 days at most.")
    expires_us = expiry(services, wanted.expires_at)
    record, token = await services.access.keys.rotate(old, old_end_us, expires_us=expires_us)
    note_issued(caller, record, in_place_of=old.key_id)
    caller.note.detail["oldEndsAt"] = rfc3339(old_end_us)
    return _issued(services, record, token)


def _missing() -> SliceError:
    return SliceError(Code.NOT_FOUND, "There is no such key.")


async def _find(services: TheServices, tenant: TenantNo, key_id: str, device_no: int | None) -> KeyRecord:
    record = await services.keys.find(key_id)
    if record is None or record.tenant.no != tenant or record.device_no != device_no:
        raise _missing()
    return record


def _check_scopes(principal: Principal, scopes: frozenset[Scope]) -> None:
    """A service key hands on no more than it has."""
    if isinstance(principal, ServiceKey) and not scopes <= principal.scopes:
        raise SliceError(Code.FORBIDDEN, "A service key cannot grant scopes that it does not have.")


# ---------------------------------------------------------------------------------------------------- of a device
@router.get("/devices/{deviceId}/keys", operation_id="listDeviceKeys", responses=problems(404))
async def list_device_keys(
    device_id: DeviceId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_DEVICE_KEYS)],
    services: TheServices,
) -> KeyList:
    """A device's keys, ended ones included."""
    device = await find_device(services, caller.tenant.no, device_id)
    return KeyList(keys=[shown(services, record) for record in await services.keys.list(caller.tenant.no, device.id)])


@router.post("/devices/{deviceId}/keys", operation_id="issueDeviceKey", status_code=201, responses=problems(404, 409))
async def issue_device_key(
    device_id: DeviceId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.ISSUE_DEVICE_KEYS)],
    services: TheServices,
    body: NewDeviceKey | None = None,
) -> IssuedKey:
    """A new key for a device, which has at most two live ones."""
    wanted = body or NewDeviceKey()
    device = await find_device(services, caller.tenant.no, device_id)
    record, token = await services.access.keys.issue(
        caller.tenant,
        KeyKind.DEVICE,
        device=device,
        name=wanted.name,
        scopes=frozenset({Scope.INGEST}),
        expires_us=expiry(services, wanted.expires_at),
    )
    note_issued(caller, record)
    return _issued(services, record, token)


@router.post(
    "/devices/{deviceId}/keys/{keyId}/rotate",
    operation_id="rotateDeviceKey",
    status_code=201,
    responses=problems(404, 409),
)
async def rotate_device_key(
    device_id: DeviceId,
    key_id: KeyId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.ISSUE_DEVICE_KEYS)],
    services: TheServices,
    body: Rotation | None = None,
) -> IssuedKey:
    """A new key in place of an old one, which ends after the overlap."""
    device = await find_device(services, caller.tenant.no, device_id)
    old = await _find(services, caller.tenant.no, key_id, device.no)
    return await _rotated(caller, services, old, body or Rotation())


@router.delete(
    "/devices/{deviceId}/keys/{keyId}", operation_id="revokeDeviceKey", status_code=204, responses=problems(404)
)
async def revoke_device_key(
    device_id: DeviceId,
    key_id: KeyId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.REVOKE_DEVICE_KEYS)],
    services: TheServices,
) -> None:
    """End a device's key now."""
    device = await find_device(services, caller.tenant.no, device_id)
    await _find(services, caller.tenant.no, key_id, device.no)
    await services.access.keys.revoke(caller.tenant.no, key_id)


# ---------------------------------------------------------------------------------------------------- of the tenant
@router.get("/keys", operation_id="listKeys", responses=problems())
async def list_keys(
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_KEYS)], services: TheServices
) -> KeyList:
    """The tenant's gateway and service keys, ended ones included."""
    return KeyList(keys=[shown(services, record) for record in await services.keys.list(caller.tenant.no, None)])


@router.post("/keys", operation_id="issueKey", status_code=201, responses=problems())
async def issue_key(
    body: NewKey, caller: Annotated[Caller, allowed_in_tenant(Permission.ISSUE_KEYS)], services: TheServices
) -> IssuedKey:
    """A new gateway or service key."""
    scopes = frozenset(body.scopes) if body.kind == KeyKind.SERVICE else frozenset({Scope.INGEST})
    if not scopes:
        raise invalid("/scopes", "A service key needs at least one scope.")
    if body.kind == KeyKind.GATEWAY and not body.scopes <= scopes:
        raise invalid("/scopes", "A gateway key has the scope ingest and no other.")
    _check_scopes(caller.principal, scopes)
    record, token = await services.access.keys.issue(
        caller.tenant,
        body.kind,
        name=body.name,
        scopes=scopes,
        expires_us=expiry(services, body.expires_at),
        addresses=body.addresses,
    )
    note_issued(caller, record)
    return _issued(services, record, token)


@router.post("/keys/{keyId}/rotate", operation_id="rotateKey", status_code=201, responses=problems(404, 409))
async def rotate_key(
    key_id: KeyId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.ISSUE_KEYS)],
    services: TheServices,
    body: Rotation | None = None,
) -> IssuedKey:
    """A new key in place of an old one, which ends after the overlap."""
    old = await _find(services, caller.tenant.no, key_id, None)
    _check_scopes(caller.principal, old.scopes)
    return await _rotated(caller, services, old, body or Rotation())


@router.delete("/keys/{keyId}", operation_id="revokeKey", status_code=204, responses=problems(404))
async def revoke_key(
    key_id: KeyId, caller: Annotated[Caller, allowed_in_tenant(Permission.REVOKE_KEYS)], services: TheServices
) -> None:
    """End a gateway or service key now."""
    await _find(services, caller.tenant.no, key_id, None)
    await services.access.keys.revoke(caller.tenant.no, key_id)
