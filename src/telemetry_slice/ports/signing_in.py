"""What the registry keeps about signing in: open sign-ins by person, and the keys that sign access tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..model.events import TenantNo
from ..model.tenancy import Role
from .accounts import Account
from .identities import Identities


@dataclass(frozen=True, slots=True)
class OpenSignIn:
    """A sign-in that has not ended, as its person sees it.

    Attributes:
        family: its id, through all rotations of its token.
        kind: what its token is (`ports.accounts.SessionKind`).
        last_used_us: accurate to a minute.
        address, user_agent: where it was used from last, as far as is known.
    """

    family: str
    kind: str
    tenant_id: str | None
    created_us: int
    last_used_us: int
    expires_us: int
    address: str | None
    user_agent: str | None


class SignIns(Protocol):
    """The sign-ins of a person, each a family of sessions."""

    async def of_user(self, user_id: str, now_us: int) -> Sequence[OpenSignIn]:
        """The open ones, used last first."""

    async def is_open(self, user_id: str, family: str, now_us: int) -> bool:
        """Whether the person has such a sign-in and it has not ended."""

    async def touch(
        self, user_id: str, family: str, *, used_us: int, expires_us: int, address: str | None, user_agent: str | None
    ) -> None:
        """Write down a use: its sessions that are not used up live until `expires_us`."""

    async def end(self, user_id: str, family: str) -> bool:
        """End it, a token being issued at this moment included; False if the person has no such sign-in."""


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """A key of access tokens as it is kept.

    Attributes:
        number: 1, 2, 3, … in the order in which they sign.
        kid: its name in tokens.
        sealed: the private key, readable with the installation's own secrets alone.
        signs_from_us: it signs from then on, until the next one does.
    """

    number: int
    kid: str
    sealed: str
    signs_from_us: int


class SigningKeys(Protocol):
    """The keys of access tokens that are published: the one that signs, the next, and those of tokens still alive."""

    async def list(self) -> Sequence[SigningKeyRecord]:
        """All, by number."""

    async def add(self, record: SigningKeyRecord) -> bool:
        """False, and nothing is kept, if there is one of this number: another process was first."""

    async def remove_before(self, number: int) -> None:
        """Forget all whose number is smaller."""


class LinkKind(StrEnum):
    """What a one-time link is good for."""

    INVITATION = "invitation"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that has not been used.

    Attributes:
        token: the SHA-256 of the secret in the link.
        link_id: names it where it is listed; opens nothing.
        email: whom it is for.
        tenant_no, role: of an invitation, what it makes whoever accepts it.
        user_id: of a reset, whose password it replaces.
    """

    token: bytes
    link_id: str
    kind: LinkKind
    email: str
    tenant_no: TenantNo | None
    role: Role | None
    user_id: str | None
    created_us: int
    expires_us: int


class Links(Protocol):
    """One-time links. Whoever takes one does so in the transaction that does what it is good for."""

    async def add(self, link: Link) -> None:
        """Keep a link; one of the same kind for the same e-mail (of the same tenant) ends by that."""

    async def find(self, token: bytes, now_us: int) -> Link | None:
        """The link, if it is open."""

    async def invitations(self, tenant: TenantNo, now_us: int) -> Sequence[Link]:
        """The open invitations of a tenant, by e-mail."""

    async def withdraw(self, tenant: TenantNo, link_id: str) -> bool:
        """End an invitation; False if the tenant has no such one."""

    async def enrol(self, invitation: Link, account: Account, now_us: int) -> bool:
        """Take an invitation with a new account; False if it is not open (any more).

        Raises SliceError CONFLICT if the e-mail is taken (the invitation stays open).
        """

    async def join(self, invitation: Link, user_id: str, now_us: int) -> bool:
        """Take an invitation with an account that exists; False if it is not open (any more).

        Raises SliceError CONFLICT if the account is a member already (the invitation stays open).
        """

    async def reset(self, link: Link, password: str, now_us: int) -> bool:
        """Replace the argon2id string, end every sign-in and every such link of the person; False if it is not open."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A person's authenticator.

    Attributes:
        sealed: its secret, readable with the installation's own secrets alone.
        confirmed: whether a code of it was shown, and so whether it is asked for.
        recovery_codes: how many are left.
    """

    sealed: str
    confirmed: bool
    recovery_codes: int


class SecondFactors(Protocol):
    """At most one authenticator of each person, and codes for who has lost it, as hashes."""

    async def get(self, user_id: str) -> SecondFactor | None: ...

    async def offer(self, user_id: str, sealed: str) -> bool:
        """Keep one that is to be confirmed, instead of another such one; False if one is confirmed."""

    async def confirm(self, user_id: str, sealed: str, step: int, recovery: Sequence[bytes]) -> bool:
        """Let the one that was offered be asked for from now on; False if it is not (any more) that one."""

    async def use_step(self, user_id: str, step: int) -> bool:
        """Take the code of a time step; False if it, or a later one, was taken."""

    async def use_recovery(self, user_id: str, code: bytes) -> bool:
        """Take a recovery code; False if there is none (any more)."""

    async def remove(self, user_id: str) -> bool:
        """Ask for none any more; False if there is none."""


class SigningIn(Protocol):
    """All of it, over the registry's database."""

    @property
    def sign_ins(self) -> SignIns: ...

    @property
    def signing_keys(self) -> SigningKeys: ...

    @property
    def links(self) -> Links: ...

    @property
    def second_factors(self) -> SecondFactors: ...

    @property
    def identities(self) -> Identities: ...
