"""Reading what concerns all devices of a tenant, or many, with few statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..model.events import TenantNo
from ..model.fleet import Heard, Sparkline
from ..model.series import TimeRange


class FleetTelemetry(Protocol):
    """What the devices of a tenant have sent. Every statement filters by tenant."""

    async def heard(self, tenant: TenantNo) -> Sequence[Heard]:
        """One for each device and type ever sent, deleted devices included, in no order."""

    async def sparklines(
        self,
        tenant: TenantNo,
        device_nos: Sequence[int],
        span: TimeRange,
        buckets: int,
        *,
        types: Sequence[str] | None = None,
    ) -> Sequence[Sparkline]:
        """Of each device that has ever sent numbers its first series of them, by type and unit, of `types` if given.

        `span` is cut into `buckets` parts as long as one another; its length is a multiple of their number.
        """
