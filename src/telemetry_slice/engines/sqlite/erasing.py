"""Erasing a tenant's telemetry: counted beside the writer, deleted in the writer child."""

from __future__ import annotations

from collections.abc import Mapping

import apsw
from sqlalchemy import Connection, text

from .retention import STEP_ROWS, expire

_EVER = 2**63 - 1
_PARTS: Mapping[str, tuple[str, ...]] = {
    "series": ("series",),
    "readings": ("telemetry_events",),
    "claims": ("event_ledger",),
    "letters": ("dead_letters",),
    "counts": ("book_counts", "book_totals"),
    "announced": ("gate_totals", "gate_minutes"),
}
# Each with its key, by which some rows are chosen. What readings are found by goes after them.
_DELETED: Mapping[str, str] = {
    "event_ledger": "event_key",
    "dead_letters": "id",
    "book_counts": "minute_us",
    "book_totals": "entry",
    "gate_totals": "incarnation",
    "gate_minutes": "minute_us",
    "series_merged": "series_id",
    "series": "series_id",
}


def count(connection: Connection, tenant: int) -> dict[str, int]:
    """Rows of a tenant in each part."""
    return {part: sum(_rows(connection, name, tenant) for name in names) for part, names in _PARTS.items()}


def _rows(connection: Connection, name: str, tenant: int) -> int:
    asked = text(f"SELECT count(*) FROM {name} WHERE tenant_no = :tenant")
    return int(connection.execute(asked, {"tenant": tenant}).scalar_one())


def erase_some(connection: apsw.Connection, tenant: int) -> tuple[int, int]:
    """Delete some rows of a tenant; how many, and how many of them recent readings."""
    gone, recent = expire(connection, _EVER, tenant)
    for name, key in _DELETED.items():
        if gone >= STEP_ROWS:
            break
        before = connection.total_changes()
        connection.execute(
            f"DELETE FROM {name} WHERE tenant_no = ?1 AND {key} IN"
            f" (SELECT {key} FROM {name} WHERE tenant_no = ?1 LIMIT ?2)",
            (tenant, STEP_ROWS - gone),
        )
        gone += connection.total_changes() - before
    return gone, recent
