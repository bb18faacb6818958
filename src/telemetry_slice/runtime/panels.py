"""The panels of dashboards over what can be asked about telemetry."""

from __future__ import annotations

from collections.abc import Sequence

from ..flow.panels import Panels
from ..flow.query import Asked, Query, SeriesAnswer
from ..model.series import TimeRange
from ..model.tenancy import Tenant
from ..ports.edge import Clock


def panels_over(query: Query, clock: Clock) -> Panels:
    """Two stages of the flow that do not know one another."""

    async def series(
        tenant: Tenant, device_ids: Sequence[str], types: Sequence[str], span: TimeRange, points: int
    ) -> Sequence[SeriesAnswer]:
        return await query.many_series(tenant, device_ids, types, Asked(span.from_us, span.to_us), points)

    return Panels(query, series, clock)
