"""Erasing a tenant's telemetry from the servers of a distributed installation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from ...engines.nats.queue import JetStreamQueue
from ...engines.postgres import erasing
from ...model.errors import UnavailableError
from ...model.events import TenantNo
from ...model.placement import Placement


class DatabaseErasing:
    """`ports.erasing.TelemetryErasing` with connections of its own, since whole tables are counted."""

    def __init__(
        self,
        api_url: str,
        writer_urls: Mapping[str | None, str],
        lanes: Callable[[], Mapping[str | None, JetStreamQueue]],
    ) -> None:
        """`writer_urls` and `lanes` are by the names of databases, None = the installation's own."""
        self._api_url = api_url
        self._writer_urls = writer_urls
        self._lanes = lanes

    def _writer_url(self, placement: Placement) -> str:
        url = self._writer_urls.get(placement.database)
        if url is None:
            raise UnavailableError(f"the settings do not name the placement database {placement.database}")
        return url

    async def in_flight(self, placement: Placement, tenant: TenantNo) -> int:
        self._writer_url(placement)
        queue = self._lanes()[placement.database]
        try:
            await queue.start()
            held = await queue.held()
        finally:
            await queue.close(0)
        return sum(batch[2] for message in held for batch in message.batches if batch[0] == tenant)

    async def count(self, placement: Placement, tenant: TenantNo) -> Mapping[str, int]:
        return await asyncio.to_thread(erasing.count, self._writer_url(placement), placement, tenant)

    async def erase_some(self, placement: Placement, tenant: TenantNo) -> int:
        if placement.schema is not None:
            return int(await asyncio.to_thread(erasing.drop_schema, self._api_url, tenant))
        return await asyncio.to_thread(erasing.erase_some, self._writer_url(placement), placement, tenant)
