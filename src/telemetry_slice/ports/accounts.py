"""People, what they are in tenants, and their sign-ins by the secrets that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..model.events import TenantNo
from ..model.tenancy import Role, Tenant


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
