"""Which messages of which gate are settled: a row for each, folded into one floor per gate from time to time.

Rows instead of one counter per gate, so that several writers settle messages of one gate side by side: a counter would
be locked from the claim to the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg import Connection

from ...model.events import Message
from .arrays import int8s, uuids
from .transaction import Session, transaction

FOLD_EVERY = 256
"""Claims of a gate after which its rows are folded."""

_CLAIM = """
    INSERT INTO message_claims (incarnation, sequence) SELECT * FROM unnest(%s::uuid[], %s::int8[])
    ON CONFLICT DO NOTHING RETURNING incarnation, sequence
"""
# A row that folding has just deleted can be inserted again. This statement, whose snapshot is younger than the
# insertion, sees the floor that came with the deletion.
_FLOORS = "SELECT incarnation, claimed FROM message_floors WHERE incarnation = ANY (%s::uuid[])"


def claim(connection: Connection, messages: Sequence[Message]) -> list[bool]:
    """Claim `messages` in the open transaction; per message whether it is new."""
    wanted = sorted({(message.incarnation, message.sequence) for message in messages})
    gates = uuids(sorted({incarnation for incarnation, _ in wanted}))
    with connection.pipeline():
        inserted = connection.execute(_CLAIM, (uuids([i for i, _ in wanted]), int8s([s for _, s in wanted])))
        told = connection.execute(_FLOORS, (gates,))
        new = {(incarnation.bytes, sequence) for incarnation, sequence in inserted}
        floors = {incarnation.bytes: claimed for incarnation, claimed in told}
    fresh = []
    for message in messages:
        place = (message.incarnation, message.sequence)
        fresh.append(place in new and message.sequence > floors.get(message.incarnation, 0))
        # The same message twice in one call is new once.
        new.discard(place)
    return fresh


def settled(rows: Sequence[int], floor: int) -> tuple[int, frozenset[int]]:
    """(the sequence at and below which everything is settled, what is settled above it)."""
    ahead = {sequence for sequence in rows if sequence > floor}
    while floor + 1 in ahead:
        floor += 1
        ahead.discard(floor)
    return floor, frozenset(ahead)


def fold(connection: Session, incarnation: bytes) -> None:
    """Raise a gate's floor over its settled messages and delete their rows, in one transaction."""
    gate = UUID(bytes=incarnation)
    with transaction(connection, ()):
        connection.execute(
            "INSERT INTO message_floors (incarnation, claimed) VALUES (%s, 0) ON CONFLICT DO NOTHING", (gate,)
        )
        row = connection.execute(
            "SELECT claimed FROM message_floors WHERE incarnation = %s FOR UPDATE SKIP LOCKED", (gate,)
        ).fetchone()
        if row is None:
            # Another writer is at it.
            return
        rows = connection.execute("SELECT sequence FROM message_claims WHERE incarnation = %s", (gate,)).fetchall()
        floor, _ = settled([sequence for (sequence,) in rows], row[0])
        connection.execute("UPDATE message_floors SET claimed = %s WHERE incarnation = %s", (floor, gate))
        connection.execute("DELETE FROM message_claims WHERE incarnation = %s AND sequence <= %s", (gate, floor))
