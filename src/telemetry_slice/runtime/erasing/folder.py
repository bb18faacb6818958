"""Erasing a tenant's telemetry from a data folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ...engines.inprocess import HandOffQueue
from ...engines.sql.readers import TenantReaders
from ...engines.sqlite import erasing
from ...engines.sqlite.store import SqliteStore
from ...model.events import TenantNo
from ...model.placement import Placement


class FolderErasing:
    """`ports.erasing.TelemetryErasing`: everything lies in one file, and what is in flight is in this process."""

    def __init__(self, store: SqliteStore, readers: TenantReaders, queue: HandOffQueue) -> None:
        self._store = store
        self._readers = readers
        self._queue = queue

    async def in_flight(self, placement: Placement, tenant: TenantNo) -> int:  # noqa: ARG002 - there is one
        return sum(batch[2] for held in await self._queue.held() for batch in held.batches if batch[0] == tenant)

    async def count(self, placement: Placement, tenant: TenantNo) -> Mapping[str, int]:  # noqa: ARG002
        return await self._readers.run(tenant, partial(erasing.count, tenant=tenant))

    async def erase_some(self, placement: Placement, tenant: TenantNo) -> int:  # noqa: ARG002
        return await self._store.erase_some(tenant)
