"""The registry: tenants, devices, keys, users, sessions. Application data, kept apart from events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..model.events import TenantNo
from ..model.placement import SHARED, Placement
from ..model.tenancy import Device, KeyKind, Limits, Role, Scope, Tenant
from .credentials import Credentials
from .peppers import UnderPeppers
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


@dataclass(frozen=True, slots=True)
class Account:
    """A person who can sign in. `password` is an argon2id string, empty for who comes of a provider."""

    user_id: str
    email: str
    name: str
    password: str
    platform_admin: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """What an account is in a tenant."""

    tenant: Tenant
    role: Role


class Accounts(Protocol):
    """People and their roles."""

    async def add(self, account: Account, memberships: Sequence[tuple[TenantNo, Role]]) -> None:
        """Raises SliceError CONFLICT if the e-mail (case-insensitive) is taken."""

    async def by_email(self, email: str) -> Account | None: ...

    async def by_id(self, user_id: str) -> tuple[Account, Sequence[Membership]] | None:
        """The account and its memberships by tenant id."""

    async def of_tenant(self, tenant: TenantNo) -> Sequence[tuple[Account, Role]]:
        """Everyone with a role in the tenant, by e-mail."""

    async def join(self, tenant: TenantNo, user_id: str, role: Role) -> None:
        """Raises SliceError CONFLICT if the account is a member already."""

    async def set_role(self, tenant: TenantNo, user_id: str, role: Role | None) -> bool:
        """Change or (None) end a membership; False if there is none. Raises SliceError CONFLICT for the last owner."""

    async def set_password(self, user_id: str, password: str) -> bool:
        """Replace the argon2id string; False if there is no such account."""

    async def any_exists(self) -> bool: ...


class SessionKind(StrEnum):
    """What a session's token is: a browser's cookie, or an API client's refresh token. Neither serves as the other."""

    BROWSER = "browser"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in. `token` is the SHA-256 of an opaque token; a family is one sign-in through all its rotations."""

    token: bytes
    kind: SessionKind
    family: str
    user_id: str
    tenant_id: str | None
    created_us: int
    expires_us: int
    used: bool


class Sessions(Protocol):
    """Browser sessions and refresh tokens, by the hash of their secret; `SignIns` has them by person."""

    async def add(self, session: Session, *, address: str | None = None, user_agent: str | None = None) -> None:
        """Keep a new sign-in, made from there."""

    async def find(self, token: bytes) -> Session | None:
        """Whatever its state, expired and used ones included."""

    async def rotate(self, old: bytes, new: Session) -> bool:
        """Mark `old` used and add `new` in one transaction; False if `old` was used already or is gone."""

    async def switch(self, token: bytes, tenant_id: str) -> None:
        """Let the session act in another tenant."""

    async def end_user(self, user_id: str) -> None:
        """End every sign-in of a person, tokens being rotated at this moment included."""

    async def forget_expired(self, before_us: int) -> int:
        """Delete sessions that ended before `before_us`; how many."""


class FirstRun(Protocol):
    """The one-time set-up of an installation that has no account yet."""

    async def offer(self, token: bytes, expires_us: int) -> bool:
        """Let the SHA-256 `token` be the only open offer; False, and no offer, once any account exists."""

    async def claim(
        self, token: bytes, now_us: int, account: Account, tenant_id: str, tenant_name: str
    ) -> Tenant | None:
        """Take up the offer in one transaction: account, tenant, and ownership. None if there is no such open offer.

        Raises SliceError CONFLICT if the tenant's id is taken (the offer stays open).
        """


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

    @property
    def under_peppers(self) -> UnderPeppers: ...
