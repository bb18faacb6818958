"""The registry: tenants, devices, keys, and all else that is kept apart from events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.events import TenantNo
from ..model.fleet import Listed
from ..model.placement import SHARED, Placement
from ..model.tenancy import Device, KeyKind, Limits, Scope, Tenant
from .accounts import Accounts, FirstRun, Sessions
from .credentials import Credentials
from .signing_in import SigningIn

NO_LIMITS = Limits()


class Tenants(Protocol):
    """Every tenant of the installation."""

    async def create(
        self,
        tenant_id: str,
        name: str,
        *,
        auto_register: bool = True,
        limits: Limits = NO_LIMITS,
        placement: Placement = SHARED,
    ) -> Tenant:
        """Raises SliceError CONFLICT if the id is taken, or was by a tenant that was erased.

        That `placement` is ready is the caller's business.
        """

    async def get(self, tenant_id: str) -> Tenant | None: ...

    async def by_no(self, tenant: TenantNo) -> Tenant | None:
        """The same by its number."""

    async def list(self) -> Sequence[Tenant]:
        """All, by id."""

    async def change(
        self,
        tenant_id: str,
        *,
        name: str | None = None,
        auto_register: bool | None = None,
        limits: Limits | None = None,
    ) -> Tenant | None:
        """Change what is given; None if there is no such tenant."""

    async def suspend(self, tenant_id: str, reason: str | None) -> Tenant | None:
        """Take nothing more from its senders, for a reason, or with None take it again; None: no such tenant.

        Raises SliceError CONFLICT for a tenant that is being erased.
        """


class Devices(Protocol):
    """Devices by tenant. A deleted device is kept, marked, with its number."""

    async def resolve(self, tenant: TenantNo, device_ids: Sequence[str]) -> dict[str, Device]:
        """The known ones among `device_ids`, deleted ones included."""

    async def register(self, tenant: TenantNo, device_ids: Sequence[str]) -> dict[str, Device]:
        """Create the unknown ones among `device_ids` with defaults; all of them, as `resolve` tells."""

    async def create(
        self, tenant: TenantNo, device_id: str, *, label: str, location: str, tags: Sequence[str]
    ) -> Device:
        """Raises SliceError CONFLICT if the id exists, also as a deleted device."""

    async def get(self, tenant: TenantNo, device_id: str) -> Device | None:
        """A device that is not deleted."""

    async def change(
        self,
        tenant: TenantNo,
        device_id: str,
        *,
        label: str | None = None,
        location: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> Device | None:
        """Change what is given; None if there is no such device or it is deleted."""

    async def delete(self, tenant: TenantNo, device_id: str) -> bool:
        """Mark deleted and revoke its keys in one transaction."""

    async def page(
        self,
        tenant: TenantNo,
        *,
        query: str | None,
        tag: str | None,
        location: str | None,
        sort: str,
        descending: bool,
        after: tuple[str, str] | None,
        limit: int,
    ) -> Sequence[Device]:
        """Devices that are not deleted, ordered by (`sort`, id) where sort is deviceId, label, location or createdAt,
        strictly after `after` = (sort value as text, id). `query` matches id, label and location, case-insensitive.
        """

    async def roster(self, tenant: TenantNo) -> Sequence[Listed]:
        """All devices that are not deleted, in no order."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it is kept: only its HMAC."""

    key_id: str
    kind: KeyKind
    tenant: Tenant
    device_no: int | None
    device_id: str | None
    name: str
    scopes: frozenset[Scope]
    addresses: tuple[str, ...]
    mac: bytes
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None
    last_address: str | None = None
    replaced_by: str | None = None


class Keys(Protocol):
    """Device, gateway and service keys."""

    async def add(
        self, record: KeyRecord, *, pepper: str | None = None, replaces: tuple[str, int] | None = None
    ) -> None:
        """Keep a new key, whose HMAC was made under the pepper of that name; with `replaces` = (key id, µs), the other
        ends then at the latest, in the same transaction.

        Raises SliceError CONFLICT when a device would have more than two live keys, NOT_FOUND when the device is
        deleted, CONFLICT when the replaced key is not live.
        """

    async def find(self, key_id: str) -> KeyRecord | None:
        """Whatever its state."""

    async def find_many(self, key_ids: Sequence[str]) -> Mapping[str, KeyRecord]:
        """The known ones among `key_ids`, whatever their state."""

    async def list(self, tenant: TenantNo, device_id: str | None) -> Sequence[KeyRecord]:
        """A device's keys, or with None the tenant's gateway and service keys; newest first."""

    async def revoke(self, tenant: TenantNo, key_id: str) -> bool:
        """End the key now; False if the tenant has no such live key."""

    async def touch(self, used: Sequence[tuple[str, int, str | None]]) -> None:
        """Remember (key id, used at µs, from which address) where no later use is known."""


class Registry(Protocol):
    """All of it, over one database."""

    @property
    def tenants(self) -> Tenants: ...

    @property
    def devices(self) -> Devices: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def credentials(self) -> Credentials: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def first_run(self) -> FirstRun: ...

    @property
    def signing_in(self) -> SigningIn: ...
