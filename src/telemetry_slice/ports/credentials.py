"""Credentials of devices beyond single keys: those that end soon, lists of devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.tenancy import KeyKind, Tenant
from .provisioning import Provisioning


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


class Credentials(Protocol):
    """All of it, over the registry's database."""

    @property
    def expiring(self) -> ExpiringKeys: ...

    @property
    def provisioning(self) -> Provisioning: ...
