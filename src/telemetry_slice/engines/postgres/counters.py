"""The store's side of the books. A counter is the sum of its slots, so that writers seldom wait for one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection, IsolationLevel

from ...model.books import BooksStep, StoreBooks, steps_of
from ..sql.settling import Counts
from . import claims
from .arrays import int4s, int8s, texts, uuids
from .transaction import Session, transaction

_COUNTS = """
    INSERT INTO book_counts AS b (tenant_no, minute_us, entry, code, count, slot)
    SELECT w.*, mod(pg_backend_pid(), 8) FROM unnest(%s::int4[], %s::int8[], %s::text[], %s::text[], %s::int8[]) AS w
    ON CONFLICT (tenant_no, minute_us, entry, code, slot) DO UPDATE SET count = b.count + excluded.count
"""
_TOTALS = """
    INSERT INTO book_totals AS b (tenant_no, entry, code, count, slot)
    SELECT w.*, mod(pg_backend_pid(), 8) FROM unnest(%s::int4[], %s::text[], %s::text[], %s::int8[]) AS w
    ON CONFLICT (tenant_no, entry, code, slot) DO UPDATE SET count = b.count + excluded.count
"""
_GATE_TOTALS = """
    INSERT INTO gate_totals AS g (tenant_no, incarnation, total, slot)
    SELECT w.*, mod(pg_backend_pid(), 8) FROM unnest(%s::int4[], %s::uuid[], %s::int8[]) AS w
    ON CONFLICT (tenant_no, incarnation, slot) DO UPDATE SET total = greatest(g.total, excluded.total)
"""
_GATE_MINUTES = """
    INSERT INTO gate_minutes AS g (tenant_no, minute_us, incarnation, total, slot)
    SELECT w.*, mod(pg_backend_pid(), 8) FROM unnest(%s::int4[], %s::int8[], %s::uuid[], %s::int8[]) AS w
    ON CONFLICT (tenant_no, minute_us, incarnation, slot) DO UPDATE SET total = greatest(g.total, excluded.total)
"""
_HISTORY = """
    SELECT %(from)s + (minute_us - %(from)s) / %(step)s * %(step)s, entry, code, sum(count)::int8
    FROM book_counts WHERE tenant_no = %(tenant)s AND minute_us >= %(from)s AND minute_us < %(to)s GROUP BY 1, 2, 3
    UNION ALL
    SELECT %(from)s + (minute_us - %(from)s) / %(step)s * %(step)s, 'announced', '', sum(total)::int8
    FROM (
        SELECT minute_us, max(total) AS total FROM gate_minutes
        WHERE tenant_no = %(tenant)s AND minute_us >= %(from)s AND minute_us < %(to)s GROUP BY minute_us, incarnation
    ) m GROUP BY 1
"""


def write_totals(
    connection: Connection,
    totals: Mapping[tuple[int, bytes], int],
    minutes: Mapping[tuple[int, int, bytes], int],
) -> None:
    """Keep the gates' running totals, in the open transaction."""
    if not totals:
        return
    (tenants, incarnations), largest = _columns(totals)
    connection.execute(_GATE_TOTALS, (int4s(tenants), uuids(incarnations), int8s(largest)))
    (tenants, starts, incarnations), largest = _columns(minutes)
    connection.execute(_GATE_MINUTES, (int4s(tenants), int8s(starts), uuids(incarnations), int8s(largest)))


def write_counts(connection: Connection, counts: Counts) -> None:
    """Add to the books, in the open transaction."""
    if not counts.by_minute:
        return
    (tenants, starts, entries, codes), added = _columns(counts.by_minute)
    connection.execute(_COUNTS, (int4s(tenants), int8s(starts), texts(entries), texts(codes), int8s(added)))
    (tenants, entries, codes), added = _columns(counts.totals())
    connection.execute(_TOTALS, (int4s(tenants), texts(entries), texts(codes), int8s(added)))


def _columns(values: Mapping[Any, int]) -> tuple[tuple[Any, ...], list[int]]:
    """Keys as columns and their values, sorted: every writer takes its locks in this order."""
    keys = sorted(values)
    return tuple(zip(*keys, strict=True)), [values[key] for key in keys]


def reject(connection: Session, rejected: Sequence[tuple[int, int, str, int]]) -> None:
    """Add (tenant, received minute µs, code, count)."""
    counts = Counts()
    for tenant, minute_us, code, count in rejected:
        counts.bump(tenant, minute_us, "rejected", code, count)
    with transaction(connection, [tenant for tenant, *_ in rejected]):
        write_counts(connection, counts)


def read(connection: Session, tenant: int, from_us: int | None, to_us: int | None) -> StoreBooks:
    """Counts of one tenant, all or by received minute, in one snapshot."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with transaction(connection, [tenant]):
            return _read(connection, tenant, from_us, to_us)
    finally:
        if not connection.closed:
            connection.isolation_level = IsolationLevel.READ_COMMITTED


def history(connection: Session, tenant: int, from_us: int, to_us: int, step_us: int) -> Sequence[BooksStep]:
    """Counts of one tenant by received time, in one statement and so in one snapshot."""
    span = {"tenant": tenant, "from": from_us, "to": to_us, "step": step_us}
    with transaction(connection, [tenant]):
        return steps_of(connection.execute(_HISTORY, span).fetchall())


def _read(connection: Connection, tenant: int, from_us: int | None, to_us: int | None) -> StoreBooks:
    if from_us is None and to_us is None:
        counts = connection.execute(
            "SELECT entry, code, sum(count)::int8 FROM book_totals WHERE tenant_no = %s GROUP BY entry, code", (tenant,)
        ).fetchall()
        announced = connection.execute(
            "SELECT incarnation, max(total) FROM gate_totals WHERE tenant_no = %s GROUP BY incarnation", (tenant,)
        ).fetchall()
    else:
        span = (tenant, from_us or 0, (1 << 62) if to_us is None else to_us)
        counts = connection.execute(
            "SELECT entry, code, sum(count)::int8 FROM book_counts"
            " WHERE tenant_no = %s AND minute_us >= %s AND minute_us < %s GROUP BY entry, code",
            span,
        ).fetchall()
        announced = connection.execute(
            "SELECT incarnation, sum(total)::int8 FROM (SELECT incarnation, max(total) AS total FROM gate_minutes"
            " WHERE tenant_no = %s AND minute_us >= %s AND minute_us < %s GROUP BY incarnation, minute_us) m"
            " GROUP BY incarnation",
            span,
        ).fetchall()
    floors: dict[UUID, int] = dict(connection.execute("SELECT incarnation, claimed FROM message_floors").fetchall())
    rows: dict[UUID, list[int]] = defaultdict(list, {gate: [] for gate in floors})
    for gate, sequence in connection.execute("SELECT incarnation, sequence FROM message_claims"):
        rows[gate].append(sequence)
    settled = {gate.bytes: claims.settled(sequences, floors.get(gate, 0)) for gate, sequences in rows.items()}
    by_entry: dict[str, dict[str, int]] = defaultdict(dict)
    for entry, code, count in counts:
        by_entry[entry][code] = count
    announced_by = {gate.bytes: total for gate, total in announced}
    return StoreBooks(
        sum(announced_by.values()),
        announced_by,
        by_entry["stored"].get("", 0),
        by_entry["duplicate"].get("", 0),
        {reason: count for reason, count in by_entry["dead"].items() if count},
        by_entry["rejected"],
        {gate: floor for gate, (floor, _) in settled.items()},
        {gate: ahead for gate, (_, ahead) in settled.items()},
    )
