"""Reading what is stored. Every statement filters by tenant; nothing here writes.

What has been committed is seen at once; where replicas of the store answer as well, after a moment whose bound is a
setting (docs/adr/0018). What was seen with a `Seen` is not missed by a later read with the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..model.events import TenantNo
from ..model.series import Bucket, Insight, LastValue, Position, Reading, Seen, SeriesType, TimeRange, WholeEvent


class Telemetry(Protocol):
    """Stored readings of one device, in the order (recorded_us, event key, type)."""

    async def readings(
        self,
        tenant: TenantNo,
        device_no: int,
        span: TimeRange,
        *,
        types: Sequence[str] | None,
        after: Position | None,
        descending: bool,
        limit: int,
        seen: Seen | None = None,
    ) -> Sequence[Reading]:
        """Up to `limit` readings strictly after `after` in the asked direction. `device_id` of a reading is empty.

        Rows that the first page could see are seen exactly once over all pages that are given the same `seen`, later
        ones at most once.
        """

    async def whole_events(
        self,
        tenant: TenantNo,
        device_no: int,
        span: TimeRange,
        *,
        after: Position | None,
        descending: bool,
        limit: int,
        seen: Seen | None = None,
    ) -> Sequence[WholeEvent]:
        """Up to `limit` whole events strictly after `after` (its type is ignored)."""

    async def types(self, tenant: TenantNo, device_no: int) -> Sequence[SeriesType]:
        """What the device has ever sent, sorted by type, unit, kind."""

    async def buckets(
        self, tenant: TenantNo, device_no: int, series: SeriesType, span: TimeRange, width_us: int
    ) -> Sequence[Bucket]:
        """Non-empty buckets of [from_us, to_us), aligned to multiples of `width_us` from `from_us`, ascending.

        Strings and booleans have count and last only.
        """

    async def insights(self, tenant: TenantNo, device_no: int, span: TimeRange) -> Sequence[Insight]:
        """One summary per (type, unit) with readings in the range, sorted by type, unit."""

    async def last_values(self, tenant: TenantNo, device_nos: Sequence[int]) -> Mapping[int, Sequence[LastValue]]:
        """The newest reading of each series of each device, devices without readings omitted."""

    async def size_bytes(self) -> int:
        """Bytes of telemetry on disk."""
