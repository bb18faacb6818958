"""What the registry keeps about signing in: open sign-ins by person, and the keys that sign access tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OpenSignIn:
    """A sign-in that has not ended, as its person sees it.

    Attributes:
        family: its id, through all rotations of its token.
        kind: what its token is (`ports.registry.SessionKind`).
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


class SigningIn(Protocol):
    """All of it, over the registry's database."""

    @property
    def sign_ins(self) -> SignIns: ...

    @property
    def signing_keys(self) -> SigningKeys: ...
