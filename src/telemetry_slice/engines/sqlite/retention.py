"""Deleting old readings. Runs in the writer child."""

from __future__ import annotations

import apsw

STEP_ROWS = 5_000


def expire(connection: apsw.Connection, before_us: int, tenant: int | None) -> tuple[int, int]:
    """Delete up to `STEP_ROWS` readings recorded before `before_us`; how many, and how many of them recent rows."""
    whose = "" if tenant is None else " AND tenant_no=:tenant"
    values = {"before": before_us, "tenant": tenant, "limit": STEP_ROWS}

    def delete(statement: str) -> int:
        before = connection.total_changes()
        connection.execute(statement, values)
        return connection.total_changes() - before

    recent = delete(
        "DELETE FROM telemetry_recent WHERE row_no IN (SELECT row_no FROM telemetry_recent"
        f" WHERE recorded_us < :before{whose} LIMIT :limit)"
    )
    gone = delete(
        "DELETE FROM telemetry_sorted WHERE (series_id, recorded_us, event_key) IN ("
        " SELECT e.series_id, e.recorded_us, e.event_key FROM series s CROSS JOIN telemetry_sorted e"
        f" ON e.series_id = s.series_id AND e.recorded_us < :before{whose.replace('tenant_no', 's.tenant_no')}"
        " LIMIT :limit)"
    )
    return recent + gone, recent
