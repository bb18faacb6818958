"""Reading dead letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from ...model.events import TenantNo, event_id_of
from ...model.series import DeadLetter
from .readers import TenantReaders
from .rows import fetch_rows
from .telemetry_tables import dead_letters

_COLUMNS = (
    dead_letters.c.id,
    dead_letters.c.reason,
    dead_letters.c.detail,
    dead_letters.c.event_key,
    dead_letters.c.event_text,
    dead_letters.c.device_id,
    dead_letters.c.received_us,
    dead_letters.c.body,
    dead_letters.c.state,
)


def _letter(row: Sequence[Any]) -> DeadLetter:
    number, reason, detail, key, text, device_id, received_us, body, state = row
    return DeadLetter(number, reason, detail, event_id_of(key, text), device_id, received_us, json.loads(body), state)


class LetterReads:
    """The reading half of `ports.events.DeadLetters`."""

    def __init__(self, readers: TenantReaders) -> None:
        self._readers = readers

    async def list(
        self,
        tenant: TenantNo,
        *,
        reason: str | None,
        after: int | None,
        limit: int,
        device_id: str | None = None,
        received: tuple[int | None, int | None] = (None, None),
    ) -> Sequence[DeadLetter]:
        """As the port promises."""
        wanted = (
            select(*_COLUMNS)
            .where(dead_letters.c.tenant_no == tenant, dead_letters.c.state != "replayed")
            .order_by(dead_letters.c.id.desc())
            .limit(limit)
        )
        if reason is not None:
            wanted = wanted.where(dead_letters.c.reason == reason)
        if device_id is not None:
            wanted = wanted.where(dead_letters.c.device_id == device_id)
        from_us, to_us = received
        if from_us is not None:
            wanted = wanted.where(dead_letters.c.received_us >= from_us)
        if to_us is not None:
            wanted = wanted.where(dead_letters.c.received_us < to_us)
        if after is not None:
            wanted = wanted.where(dead_letters.c.id < after)

        def read(connection: Connection) -> Sequence[DeadLetter]:
            return [_letter(row) for row in fetch_rows(connection, wanted)]

        return await self._readers.run(tenant, read)

    async def get(self, tenant: TenantNo, letter_id: int) -> DeadLetter | None:
        """As the port promises."""
        wanted = select(*_COLUMNS).where(
            dead_letters.c.tenant_no == tenant, dead_letters.c.id == letter_id, dead_letters.c.state != "replayed"
        )

        def read(connection: Connection) -> DeadLetter | None:
            rows = fetch_rows(connection, wanted)
            return _letter(rows[0]) if rows else None

        return await self._readers.run(tenant, read)
