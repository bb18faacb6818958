"""Erasing a tenant: what is to be erased, and where its telemetry is erased from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.audit import Actor
from ..model.events import TenantNo
from ..model.placement import Placement

TELEMETRY_PARTS = ("series", "readings", "claims", "letters", "counts", "announced")
"""What a placement holds of a tenant, as in a parcel: `counts` are the store's books, `announced` the gates'."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """A tenant that is erased, or was. What is kept of it for good: number and id are never given out again.

    Attributes:
        actor: who asked for it.
        counts: part → rows that there were; those of telemetry from the moment on when nothing came any more.
        finished_us: nothing was left of it then, and there was no such tenant any more; None before.
    """

    tenant_no: TenantNo
    tenant_id: str
    placement: Placement
    actor: Actor
    asked_us: int
    counts: Mapping[str, int]
    finished_us: int | None

    @property
    def counted(self) -> bool:
        """Whether its telemetry has been counted."""
        return TELEMETRY_PARTS[0] in self.counts


class Erasures(Protocol):
    """The registry's part. Each method is one transaction, and may be repeated."""

    async def begin(self, tenant_id: str, actor: Actor, now_us: int) -> Erasure | None:
        """Let the erasing of a suspended tenant begin: its keys end, and so do its memberships with the accounts that
        are members nowhere else (but platform administrators). The one that has begun already, if so; None if there is
        no such tenant.

        Raises SliceError CONFLICT for a tenant that is not suspended.
        """

    async def get(self, tenant_id: str) -> Erasure | None:
        """The newest of this id."""

    async def due(self, finished_before_us: int) -> Sequence[Erasure]:
        """Those that are not finished, and those that were before then and have not been swept."""

    async def keep_counts(self, tenant: TenantNo, counts: Mapping[str, int]) -> None:
        """Keep how many rows there were."""

    async def erase_some(self, tenant: TenantNo) -> int:
        """Delete up to some thousands of the registry's rows of a tenant; how many, 0 when none is left."""

    async def finish(self, tenant: TenantNo, now_us: int) -> Mapping[str, int]:
        """Delete the tenant itself unless the registry holds any of its rows; part → rows that are left."""

    async def swept(self, tenant: TenantNo, now_us: int) -> None:
        """It has been looked for stragglers, and need not be again."""


class TelemetryErasing(Protocol):
    """The part of the placements and of the queue. All raise UnavailableError."""

    async def in_flight(self, placement: Placement, tenant: TenantNo) -> int:
        """Events of a tenant that the queue holds."""

    async def count(self, placement: Placement, tenant: TenantNo) -> Mapping[str, int]:
        """Rows of a tenant by `TELEMETRY_PARTS`, every table counted whole; none where its schema is gone."""

    async def erase_some(self, placement: Placement, tenant: TenantNo) -> int:
        """Delete up to some thousands of rows of a tenant, or its schema; how many, 0 when nothing is left."""
