"""What settling a message means, apart from any database: verdicts, counts, the gates' totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...model.events import DeadReason, EventBatch, Message, Outcome, Settlement
from ...model.times import MINUTE_US

_STORED, _DUPLICATE = int(Outcome.STORED), int(Outcome.DUPLICATE)

_DETAILS = {
    DeadReason.CLOCK: "recordedAt lies before 2000 or more than 24 h ahead of the time of receipt",
    DeadReason.CONFLICT: "another event with this id and another meaning was stored first",
    DeadReason.SERIES_LIMIT: "the tenant's number of series (device, type, unit, kind) is used up",
    DeadReason.ID_EXPIRED: "the id's own time is older than what the ledger of ids still knows",
    DeadReason.POISON: "the store could not keep this event",
}


def detail_of(reason: str) -> str:
    """One sentence for the owner of the letter."""
    return _DETAILS[DeadReason(reason)]


class Verdicts:
    """The outcome of each event of one batch while it is being decided."""

    __slots__ = ("batch", "outcomes", "reasons")

    def __init__(self, batch: EventBatch) -> None:
        self.batch = batch
        self.outcomes = bytearray(len(batch.keys))
        self.reasons: dict[int, str] = dict(batch.doomed)


def settlement_of(verdicts: Iterable[Verdicts], stored_us: int) -> Settlement:
    """The settlement of a message from the verdicts of its batches."""
    listed = list(verdicts)
    if not any(verdict.reasons for verdict in listed):
        return Settlement(tuple(bytes(verdict.outcomes) for verdict in listed), {}, stored_us)
    reasons = {(b, e): str(reason) for b, verdict in enumerate(listed) for e, reason in verdict.reasons.items()}
    return Settlement(tuple(bytes(verdict.outcomes) for verdict in listed), reasons, stored_us)


class Counts:
    """What one transaction adds to the books: (tenant, received minute µs, entry, code) → count."""

    def __init__(self) -> None:
        self.by_minute: Counter[tuple[int, int, str, str]] = Counter()

    def bump(self, tenant: int, received_us: int, entry: str, code: str, count: int) -> None:
        """Add `count` events; a negative count takes away what has moved to another entry."""
        key = (tenant, received_us - received_us % MINUTE_US, entry, code)
        self.by_minute[key] = self.by_minute.get(key, 0) + count

    def settled(self, verdict: Verdicts) -> None:
        """Add the outcomes of a batch."""
        batch = verdict.batch
        for entry, outcome in (("stored", _STORED), ("duplicate", _DUPLICATE)):
            count = verdict.outcomes.count(outcome)
            if count:
                self.bump(batch.tenant, batch.received_us, entry, "", count)
        # Most batches have none, and a Counter costs more than all of the above.
        if not verdict.reasons:
            return
        for reason, count in Counter(verdict.reasons.values()).items():
            self.bump(batch.tenant, batch.received_us, "dead", str(reason), count)

    def totals(self) -> Counter[tuple[int, str, str]]:
        """(tenant, entry, code) → count over all minutes."""
        totals: Counter[tuple[int, str, str]] = Counter()
        for (tenant, _, entry, code), count in self.by_minute.items():
            totals[tenant, entry, code] += count
        return totals


def announced(
    messages: Iterable[Message],
) -> tuple[dict[tuple[int, bytes], int], dict[tuple[int, int, bytes], int]]:
    """The gates' running totals that `messages` carry, the largest being the newest.

    By (tenant, incarnation), and by (tenant, received minute µs, incarnation).
    """
    totals: dict[tuple[int, bytes], int] = {}
    minutes: dict[tuple[int, int, bytes], int] = {}
    for message in messages:
        for batch in message.batches:
            whole = (batch.tenant, message.incarnation)
            totals[whole] = max(batch.total, totals.get(whole, 0))
            minute = (batch.tenant, batch.received_us - batch.received_us % MINUTE_US, message.incarnation)
            minutes[minute] = max(batch.minute_total, minutes.get(minute, 0))
    return totals, minutes
