"""Credentials beyond single keys: those that end soon, lists of devices, enrolment, and what a pepper is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..model.events import TenantNo
from ..model.tenancy import KeyKind, Tenant
from .dashboards import DashboardLinks
from .peppers import UnderPeppers
from .provisioning import Provisioning, WantedDevice


@dataclass(frozen=True, slots=True)
class ExpiringKey:
    """A live key that ends soon and is not replaced."""

    key_id: str
    kind: KeyKind
    tenant: Tenant
    device_id: str | None
    name: str
    expires_us: int


class ExpiringKeys(Protocol):
    """Keys of every tenant that are live at `now_us`, end by `until_us`, and are followed by none."""

    async def soon(self, now_us: int, until_us: int, at_most: int) -> tuple[int, Sequence[ExpiringKey]]:
        """How many, and the first `at_most` to end."""

    async def warn(self, now_us: int, until_us: int, at_most: int) -> Sequence[ExpiringKey]:
        """At most so many that no call has given before."""


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """What devices register themselves with, as it is kept: only the SHA-256 of its text.

    Attributes:
        prefix: with what their ids begin.
        location, tags: what they have to begin with.
        key_life_us: how long their keys live; None = for ever.
        uses: how many have registered, of `max_uses`.
    """

    token_id: str
    tenant: Tenant
    digest: bytes
    name: str
    prefix: str
    location: str
    tags: tuple[str, ...]
    key_life_us: int | None
    max_uses: int
    uses: int
    created_us: int
    expires_us: int
    revoked_us: int | None
    last_used_us: int | None


class Enrolled(StrEnum):
    """What became of a device that wants to register itself."""

    CREATED = "created"
    REPEATED = "repeated"
    """It has this very key already: its answer was lost, a day ago at most. No use is counted."""
    TAKEN = "taken"
    """There is, or was, a device with its id."""
    OVER = "over"
    """The token is revoked, expired or used up."""


class EnrolmentTokens(Protocol):
    """Tokens of tenants with which devices register themselves."""

    async def add(self, token: EnrolmentToken) -> None: ...

    async def find(self, token_id: str) -> EnrolmentToken | None:
        """Whatever its state, and whosever."""

    async def list(self, tenant: TenantNo) -> Sequence[EnrolmentToken]:
        """All of a tenant, ended ones included, newest first."""

    async def revoke(self, tenant: TenantNo, token_id: str) -> bool:
        """End it now; False if the tenant has no such token that is not revoked."""

    async def enrol(self, token: EnrolmentToken, wanted: WantedDevice, key_expires_us: int | None) -> Enrolled:
        """Create the device with its key and count the use, all in one transaction, or nothing of it.

        However many come at once, no more than `max_uses` are created.
        """


class Credentials(Protocol):
    """All of it, over the registry's database."""

    @property
    def expiring(self) -> ExpiringKeys: ...

    @property
    def provisioning(self) -> Provisioning: ...

    @property
    def enrolment(self) -> EnrolmentTokens: ...

    @property
    def under_peppers(self) -> UnderPeppers: ...

    @property
    def dashboard_links(self) -> DashboardLinks: ...
