"""Moving rows from the order of arrival to the order of time, a few thousand at a step. Runs in the writer child.

Appending straight into a table clustered by series dirties a page per series and batch; measured, that is most of the
cost of an insert. Rows therefore arrive in `telemetry_recent` and are merged, many per page at once, when enough have
come together (a log-structured merge in two levels; docs/adr/0007).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import Any

import apsw

STEP_ROWS = 1_000
MERGE_ROWS = 32_768
IDLE_ROWS = 512

_NEWER = "(excluded.recorded_us, excluded.event_key) > (recorded_us, event_key)"
_STEP = "FROM json_each(?) j CROSS JOIN telemetry_recent r ON r.rowid = j.value"
_LATEST = f"""
    INSERT INTO series_merged (series_id, tenant_no, device_no, recorded_us, event_key, number, text, received_us)
    SELECT n.series_id, n.tenant_no, s.device_no, n.recorded_us, n.event_key, n.number, n.text, n.last_received_us
    FROM (
        SELECT series_id, tenant_no, recorded_us, event_key, number, text,
            row_number() OVER (PARTITION BY series_id ORDER BY recorded_us DESC, event_key DESC) AS place,
            max(received_us) OVER (PARTITION BY series_id) AS last_received_us
        {_STEP}
    ) n CROSS JOIN series s ON s.series_id = n.series_id
    WHERE n.place = 1
    ON CONFLICT (series_id) DO UPDATE SET
        number = CASE WHEN {_NEWER} THEN excluded.number ELSE number END,
        text = CASE WHEN {_NEWER} THEN excluded.text ELSE text END,
        received_us = max(received_us, excluded.received_us),
        event_key = CASE WHEN {_NEWER} THEN excluded.event_key ELSE event_key END,
        recorded_us = max(recorded_us, excluded.recorded_us)
"""
_COLUMNS = "tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text"


class Merger:
    """One merge at a time: plan it by series, copy step by step, then drop the copied rows. Restarts where it was."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        state: Any = connection.execute("SELECT upto, cursor FROM telemetry_merge").fetchone()
        self._upto, cursor = state
        # (last series, rowids) of each step to come, the next one last.
        self._steps: list[tuple[int, list[int]]] = []
        if self._upto:
            self._plan(cursor)

    @property
    def active(self) -> bool:
        return bool(self._upto)

    def begin(self) -> None:
        """Take everything that is in `telemetry_recent` now as the merge's rows."""
        row: Any = self._connection.execute("SELECT max(rowid) FROM telemetry_recent").fetchone()
        newest = row[0]
        if not newest:
            return
        self._upto = newest
        # The cursor starts below every series id: nothing has been copied.
        self._connection.execute("UPDATE telemetry_merge SET upto=?, cursor=0", (newest,))
        self._plan(0)

    def _plan(self, cursor: int) -> None:
        """Cut the rows into steps of whole series, so that one number tells how far the merge has come."""
        # As one row: stepping through tens of thousands is what would take the time.
        found: Any = self._connection.execute(
            "SELECT json_group_array(series_id), json_group_array(row) FROM ("
            " SELECT series_id, rowid AS row FROM telemetry_recent WHERE rowid<=? AND series_id>? ORDER BY series_id)",
            (self._upto, cursor),
        ).fetchone()
        series: list[int] = json.loads(found[0])
        rowids: list[int] = json.loads(found[1])
        self._steps = []
        start = 0
        while start < len(series):
            last = series[min(start + STEP_ROWS, len(series)) - 1]
            end = bisect_right(series, last, start)
            self._steps.append((last, rowids[start:end]))
            start = end
        self._steps.reverse()

    def step(self) -> int:
        """Copy one step, or finish; the number of rows dropped from `telemetry_recent`."""
        connection = self._connection
        if self._steps:
            last, members = self._steps[-1]
            rowids = (json.dumps(members),)
            with connection:
                connection.execute(
                    f"INSERT INTO telemetry_sorted ({_COLUMNS}) SELECT {_COLUMNS} {_STEP}"
                    " ORDER BY series_id, recorded_us, event_key",
                    rowids,
                )
                connection.execute(_LATEST, rowids)
                connection.execute("UPDATE telemetry_merge SET cursor=?", (last,))
            self._steps.pop()
            return 0
        with connection:
            connection.execute(
                "UPDATE telemetry_merge SET upto=0, cursor=0, stored_us=max(stored_us,"
                " (SELECT ifnull(max(stored_us), 0) FROM telemetry_recent))"
            )
            before = connection.total_changes()
            connection.execute("DELETE FROM telemetry_recent WHERE rowid<=?", (self._upto,))
            dropped = connection.total_changes() - before
        self._upto = 0
        return dropped
