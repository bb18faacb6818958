"""What the registry keeps of people who sign in with a provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..model.events import TenantNo
from ..model.tenancy import Role
from .accounts import Account


class Identity(NamedTuple):
    """A person as a provider knows them: its issuer, and its name for the person, which it gives to nobody else."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is from now on, as far as a provider says.

    Attributes:
        roles: in tenants; None = none any more. Memberships elsewhere stay.
        platform_admin: None = stays.
        email, name: of an account that has come of a provider; None = stays.
    """

    roles: Mapping[TenantNo, Role | None]
    platform_admin: bool | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What `Identities.follow` has changed: roles (before, now) by tenant, and whether the person administers the
    platform now; None = as before.
    """

    roles: Mapping[TenantNo, tuple[Role | None, Role | None]]
    platform_admin: bool | None = None


@dataclass(frozen=True, slots=True)
class ProvidedSignIn:
    """A sign-in that came of a provider.

    Attributes:
        family: as of `ports.signing_in.OpenSignIn`.
        provider: its name in the settings.
        session: the provider's own name for the person's session there, if it has one.
        sealed: the id token, readable with the installation's own secrets alone.
    """

    family: str
    user_id: str
    provider: str
    session: str | None
    sealed: str


class Identities(Protocol):
    """Who comes from where. An account that was made for an identity has no password, and is not found by its e-mail,
    which the provider may change and somebody else may have, too.
    """

    async def find(self, identity: Identity) -> str | None:
        """The id of the account."""

    async def enrol(self, identity: Identity, account: Account, now_us: int) -> bool:
        """Make an account for an identity; False, and nothing is made, if it has one."""

    async def link(self, identity: Identity, user_id: str, now_us: int) -> bool:
        """Let an identity sign in to an account that exists; False, and nothing changes, if it has one."""

    async def follow(self, user_id: str, standing: Standing) -> Moved:
        """Make it so, in one transaction. That a tenant is left without an owner is the provider's business."""

    async def remember(self, sign_in: ProvidedSignIn) -> None:
        """Keep where an open sign-in has come from, for as long as it lasts."""

    async def origin(self, user_id: str, family: str) -> ProvidedSignIn | None:
        """Where a sign-in has come from; None for every other way of signing in, and for one that has ended."""

    async def of_session(self, provider: str, session: str) -> Sequence[tuple[str, str]]:
        """(user id, family) of what came of a session at a provider and was not ended here."""

    async def of_user(self, provider: str, user_id: str) -> Sequence[tuple[str, str]]:
        """The same of a person."""
