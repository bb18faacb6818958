"""The store's side of the books. Runs in the writer child, so that a snapshot falls between two appends."""

from __future__ import annotations

import json
from typing import Any

import apsw

from .append import Books


def read(connection: apsw.Connection, tenant: int, from_us: int | None, to_us: int | None) -> dict[str, Any]:
    """Counts of one tenant, all or by received minute, as plain values of `StoreBooks`."""
    counts: list[Any]
    claims: list[Any]
    with connection:
        if from_us is None and to_us is None:
            counts = connection.execute(
                "SELECT entry, code, count FROM book_totals WHERE tenant_no=?", (tenant,)
            ).fetchall()
            announced = connection.execute(
                "SELECT incarnation, total FROM gate_totals WHERE tenant_no=?", (tenant,)
            ).fetchall()
        else:
            span = (tenant, from_us or 0, (1 << 62) if to_us is None else to_us)
            counts = connection.execute(
                "SELECT entry, code, sum(count) FROM book_counts WHERE tenant_no=? AND minute_us>=? AND minute_us<?"
                " GROUP BY entry, code",
                span,
            ).fetchall()
            announced = connection.execute(
                "SELECT incarnation, sum(total) FROM gate_minutes WHERE tenant_no=? AND minute_us>=? AND minute_us<?"
                " GROUP BY incarnation",
                span,
            ).fetchall()
        claims = connection.execute("SELECT incarnation, claimed, ahead FROM message_claims").fetchall()
    by_entry: dict[str, dict[str, int]] = {}
    for entry, code, count in counts:
        by_entry.setdefault(entry, {})[code] = count
    return {
        "announced": announced,
        "stored": by_entry.get("stored", {}).get("", 0),
        "duplicate": by_entry.get("duplicate", {}).get("", 0),
        "dead": {reason: n for reason, n in by_entry.get("dead", {}).items() if n},
        "rejected": by_entry.get("rejected", {}),
        "claims": [(incarnation, claimed, json.loads(ahead)) for incarnation, claimed, ahead in claims],
    }


def reject(connection: apsw.Connection, counts: list[tuple[int, int, str, int]]) -> None:
    """Add (tenant, received minute µs, code, count)."""
    books = Books(connection)
    for tenant, minute_us, code, count in counts:
        books.bump(tenant, minute_us, "rejected", code, count)
    books.write()
