"""(tenant, device, type, unit, kind) → series id: cached, and created in the transaction that first needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from psycopg import Connection

from .arrays import int4s, texts

CACHED = 200_000

SeriesKey = tuple[int, int, str, str | None, int]

_FIND = """
    SELECT s.tenant_no, s.device_no, s.type, s.unit, s.kind::int4, s.series_id
    FROM unnest(%s::int4[], %s::int4[], %s::text[], %s::text[], %s::int4[]) AS w(tenant_no, device_no, type, unit, kind)
    JOIN series s ON s.tenant_no = w.tenant_no AND s.device_no = w.device_no AND s.type = w.type COLLATE "C"
        AND s.kind = w.kind AND s.unit IS NOT DISTINCT FROM w.unit COLLATE "C"
"""
_CREATE = """
    INSERT INTO series (tenant_no, device_no, type, unit, kind)
    SELECT * FROM unnest(%s::int4[], %s::int4[], %s::text[], %s::text[], %s::int4[])
    RETURNING tenant_no, device_no, type, unit, kind::int4, series_id
"""
# Writers that would create series of one tenant wait for one another: else two could pass its quota side by side.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('telemetry_slice.series'), %s)"


class SeriesIds:
    """The ids that the writers of this process know; safe for several threads.

    Only what is committed is kept: ids are never deleted, so what is kept stays true.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.known: dict[SeriesKey, int] = {}
        self._lock = threading.Lock()

    def remember(self, found: dict[SeriesKey, int]) -> None:
        """Keep committed ids; above `CACHED` a quarter of them, the oldest, is forgotten."""
        if not found:
            return
        with self._lock:
            # Others may be looking things up in the old one: it only ever grows.
            if len(self.known) + len(found) > CACHED:
                self.known = dict(list(self.known.items())[CACHED // 4 :])
            self.known.update(found)

    def resolve(
        self, connection: Connection, events: Sequence[Sequence[SeriesKey]]
    ) -> tuple[dict[SeriesKey, int], set[int]]:
        """The ids of all series of `events`, and the places of the events that the quota of their tenant refuses.

        An event creates all of its series or none. Runs in the open transaction: `remember` the ids after its commit.
        """
        wanted = {key for keys in events for key in keys}
        found = _select(connection, wanted)
        if len(found) == len(wanted):
            return found, set()
        tenants = sorted({key[0] for key in wanted - found.keys()})
        for tenant in tenants:
            connection.execute(_LOCK, (tenant,))
        found |= _select(connection, wanted - found.keys())
        counted = connection.execute(
            "SELECT tenant_no, count(*) FROM series WHERE tenant_no = ANY (%s::int4[]) GROUP BY tenant_no",
            (int4s(tenants),),
        ).fetchall()
        room = dict.fromkeys(tenants, self.limit)
        for tenant, count in counted:
            room[tenant] -= count
        created: set[SeriesKey] = set()
        refused = set()
        for place, keys in enumerate(events):
            new = {key for key in keys if key not in found and key not in created}
            if not new:
                continue
            tenant = keys[0][0]
            if len(new) > room[tenant]:
                refused.add(place)
            else:
                room[tenant] -= len(new)
                created |= new
        if created:
            found |= _ids(connection.execute(_CREATE, _columns(created)).fetchall())
        return found, refused


def _select(connection: Connection, keys: Iterable[SeriesKey]) -> dict[SeriesKey, int]:
    return _ids(connection.execute(_FIND, _columns(keys)).fetchall())


def _ids(rows: Iterable[Sequence[object]]) -> dict[SeriesKey, int]:
    return {tuple(row[:5]): row[5] for row in rows}  # type: ignore[misc]


def _columns(keys: Iterable[SeriesKey]) -> tuple[object, ...]:
    listed = sorted(keys, key=lambda key: (key[0], key[1], key[2], key[3] or "", key[4]))
    tenants, devices, types, units, kinds = zip(*listed, strict=True) if listed else ((), (), (), (), ())
    return int4s(tenants), int4s(devices), texts(types), texts(units), int4s(kinds)
