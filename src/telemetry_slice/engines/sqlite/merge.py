"""Moving rows from the order of arrival to the order of time, a few thousand at a step. Runs in the writer child.

Appending straight into a table clustered by series dirties a page per series and batch; measured, that is most of the
cost of an insert. Rows therefore arrive in `telemetry_recent` and are merged, many per page at once, when enough have
come together (a log-structured merge in two levels; docs/adr/0007).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from concurrent.futures import Future
from typing import Any

import apsw

from .aside import Aside

STEP_ROWS = 500
DROP_ROWS = 4_000
MERGE_ROWS = 32_768
IDLE_ROWS = 512

_NEWER = "(excluded.recorded_us, excluded.event_key) > (recorded_us, event_key)"
_STEP = "FROM json_each(?) j CROSS JOIN telemetry_recent r ON r.row_no = j.value"
_LATEST = f"""
    INSERT INTO series_merged (series_id, tenant_no, device_no, recorded_us, event_key, number, text, received_us)
    SELECT n.series_id, n.tenant_no, s.device_no, n.recorded_us, n.event_key, n.number, n.text, c.received_us
    FROM (SELECT r.series_id, max(r.received_us) AS received_us {_STEP} GROUP BY r.series_id) c
    CROSS JOIN series s ON s.series_id = c.series_id
    CROSS JOIN telemetry_sorted n ON n.series_id = c.series_id
        AND n.recorded_us = (SELECT max(recorded_us) FROM telemetry_sorted WHERE series_id = c.series_id)
        AND n.event_key = (
            SELECT max(event_key) FROM telemetry_sorted WHERE series_id = n.series_id AND recorded_us = n.recorded_us
        )
    WHERE true
    ON CONFLICT (series_id) DO UPDATE SET
        number = CASE WHEN {_NEWER} THEN excluded.number ELSE number END,
        text = CASE WHEN {_NEWER} THEN excluded.text ELSE text END,
        received_us = max(received_us, excluded.received_us),
        event_key = CASE WHEN {_NEWER} THEN excluded.event_key ELSE event_key END,
        recorded_us = max(recorded_us, excluded.recorded_us)
"""
_COLUMNS = "tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text"


_EVERY_SERIES = 2**63 - 1

Step = tuple[int, list[int]]
"""Last series and row numbers of what is copied at once."""


class Merger:
    """One merge at a time: plan it by series, copy it step by step, drop the copied rows. Restarts where it was."""

    def __init__(self, connection: apsw.Connection, aside: Aside) -> None:
        self._connection = connection
        self._aside = aside
        state: Any = connection.execute("SELECT upto, cursor FROM telemetry_merge").fetchone()
        self._upto, cursor = state
        # Steps to come, the next one last.
        self._steps: list[Step] = []
        self._planned: Future[tuple[int, list[Step]]] | None = None
        if self._upto:
            self._steps = _plan(connection, self._upto, cursor)

    @property
    def active(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._upto)

    @property
    def planning(self) -> bool:
        """Whether the next merge is being planned."""
        return self._planned is not None

    def begin(self) -> None:
        """Plan a merge of everything that is in `telemetry_recent` now; `planned` starts it."""
        row: Any = self._connection.execute("SELECT max(row_no) FROM telemetry_recent").fetchone()
        newest = row[0]
        if newest:
            self._planned = self._aside.run(lambda connection: (newest, _plan(connection, newest, 0)))

    def start_planned(self) -> None:
        """Start the merge whose plan is ready, if one is."""
        if self._planned is None or not self._planned.done():
            return
        planned, self._planned = self._planned, None
        upto, self._steps = planned.result()
        # The cursor starts below every series id: nothing has been copied.
        self._connection.execute("UPDATE telemetry_merge SET upto=?, cursor=0", (upto,))
        self._upto = upto

    def step(self) -> int:
        """Copy one step, or drop one; the number of rows dropped from `telemetry_recent`."""
        return self._drop() if not self._steps else self._copy()

    def _copy(self) -> int:
        connection = self._connection
        last, members = self._steps[-1]
        rows = (json.dumps(members),)
        with connection:
            connection.execute(
                f"INSERT INTO telemetry_sorted ({_COLUMNS}) SELECT {_COLUMNS} {_STEP}"
                " ORDER BY series_id, recorded_us, event_key",
                rows,
            )
            connection.execute(_LATEST, rows)
            connection.execute("UPDATE telemetry_merge SET cursor=?", (last,))
        self._steps.pop()
        return 0

    def _drop(self) -> int:
        """Drop the oldest of the copied rows: all are hidden first, then go a few at a time."""
        connection = self._connection
        with connection:
            connection.execute(
                "UPDATE telemetry_merge SET cursor=?, stored_us=max(stored_us,"
                " (SELECT ifnull(max(stored_us), 0) FROM telemetry_recent)) WHERE cursor<>?",
                (_EVERY_SERIES, _EVERY_SERIES),
            )
            before = connection.total_changes()
            connection.execute(
                "DELETE FROM telemetry_recent WHERE row_no <= min(?, (SELECT min(row_no) FROM telemetry_recent) + ?)",
                (self._upto, DROP_ROWS),
            )
            dropped = connection.total_changes() - before
            left: Any = connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM telemetry_recent WHERE row_no<=? LIMIT 1)", (self._upto,)
            ).fetchone()
            if not left[0]:
                connection.execute("UPDATE telemetry_merge SET upto=0, cursor=0")
        if not left[0]:
            self._upto = 0
        return dropped


def _plan(connection: apsw.Connection, upto: int, cursor: int) -> list[Step]:
    """Cut the rows into steps of whole series, so that one number tells how far the merge has come; the first last."""
    # As one row: stepping through tens of thousands is what would take the time.
    found: Any = connection.execute(
        "SELECT json_group_array(series_id), json_group_array(row_no) FROM ("
        " SELECT series_id, row_no FROM telemetry_recent WHERE row_no<=? AND series_id>? ORDER BY series_id)",
        (upto, cursor),
    ).fetchone()
    series: list[int] = json.loads(found[0])
    row_nos: list[int] = json.loads(found[1])
    steps = []
    start = 0
    while start < len(series):
        last = series[min(start + STEP_ROWS, len(series)) - 1]
        end = bisect_right(series, last, start)
        steps.append((last, row_nos[start:end]))
        start = end
    steps.reverse()
    return steps
