"""In which partition of the ledger an event id is claimed: a function of the id and of nothing else."""

from __future__ import annotations

WEEK_MS = 7 * 24 * 3600 * 1000
PERMANENT = 0


def bucket_of(key: bytes) -> int:
    """The week since 1970 of a UUIDv7 (RFC 9562), `PERMANENT` for every other key.

    Neither the clock nor the partitions that exist have a say: the same id asks in the same place for ever. Which
    weeks have partitions of their own is a matter of the table's bounds.
    """
    if key[6] >> 4 == 7 and key[8] >> 6 == 2:
        return int.from_bytes(key[:6]) // WEEK_MS
    return PERMANENT
