"""Moving a tenant whole, from one installation to another. Either end may be a parcel on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ..model.parcel import PARTS, Head, Rows, is_live
from ..model.peppers import fingerprint_of
from ..model.times import MINUTE_US, rfc3339
from ..ports.moving import MoveRefusedError, TenantSink, TenantSource

AHEAD_US = 5 * MINUTE_US
"""How far the clock of where a tenant comes from may be ahead: the store's clock here is put forward to it."""


@dataclass(slots=True)
class Examined:
    """What a source holds.

    Attributes:
        rows: part → number of rows.
        live_keys: how many keys can still be used.
    """

    rows: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(PARTS, 0)))
    live_keys: int = 0


def examine(source: TenantSource, now_us: int) -> Examined:
    """Read a source to its end, and look whether every row refers to what came before it.

    Raises MoveRefusedError where it is not so.
    """
    found = Examined()
    devices: set[int | None] = set()
    series: set[int] = set()
    for part, rows in source.parts():
        found.rows[part] += len(rows)
        known = True
        if part == "devices":
            devices.update(row.no for row in rows)
        elif part == "keys":
            found.live_keys += sum(is_live(row, now_us) for row in rows)
            known = all(row.device_no in devices for row in rows if row.device_no is not None)
        elif part == "series":
            series.update(row.no for row in rows)
            known = all(row.device_no in devices for row in rows)
        elif part == "readings":
            known = series.issuperset(row.series_no for row in rows)
        if not known:
            raise MoveRefusedError(f"the parcel is damaged: its {part} name what is not in it")
    return found


def check_fits(head: Head, found: Examined, *, pepper: bytes, end_keys: bool, now_us: int) -> None:
    """Raises MoveRefusedError if the tenant could be taken, but not as it was."""
    if head.stored_until_us > now_us + AHEAD_US:
        raise MoveRefusedError(
            f"the tenant comes from {rfc3339(head.stored_until_us)}, which is ahead of this machine's clock:"
            " look at both clocks"
        )
    if found.live_keys and not end_keys and head.pepper != fingerprint_of(pepper):
        raise MoveRefusedError(
            f"the tenant's {found.live_keys} live keys are kept with another installation's pepper and would be"
            " recognised here no more: give this installation that secrets.json before its first key, or import with"
            " --end-keys and issue new ones"
        )


def move(
    source: TenantSource,
    sink: TenantSink,
    *,
    keys_end_us: int | None = None,
    said: Callable[[str, int], None] | None = None,
) -> Counter[str]:
    """Hand everything over; how many rows of each part. The caller commits.

    With `keys_end_us` the keys that are live then arrive as ended at that moment. `said` is told (part, rows so far).

    Raises as both ends do.
    """
    moved: Counter[str] = Counter(dict.fromkeys(PARTS, 0))
    sink.begin(source.head)
    for part, rows in source.parts():
        sink.take(part, _ended(rows, keys_end_us) if part == "keys" and keys_end_us is not None else rows)
        moved[part] += len(rows)
        if said is not None:
            said(part, moved[part])
    return moved


def _ended(rows: Rows, now_us: int) -> Rows:
    return [row._replace(revoked_us=now_us) if is_live(row, now_us) else row for row in rows]
