"""The gate's side of the books: running totals that ride in every message, and counts of what was refused."""

from __future__ import annotations

import os
from collections import Counter

from ...model.events import EventBatch, Message, TenantNo
from ...model.placement import SHARED, Placement
from ...model.times import MINUTE_US

MINUTES_KEPT = 60
"""So far a clock may be set back without a gap in the books of a range."""


class _Numbers:
    """The numbers of the messages to one placement: claimed there, they have no gaps there."""

    __slots__ = ("incarnation", "last")

    def __init__(self) -> None:
        self.incarnation = os.urandom(16)
        self.last = 0


class Totals:
    """Numbers the messages to each placement without gaps; counts what was accepted, per tenant, since the start."""

    def __init__(self) -> None:
        self._numbers: dict[Placement, _Numbers] = {SHARED: _Numbers()}
        # Of the tenants that have sent something.
        self._incarnations: dict[TenantNo, bytes] = {}
        self._accepted: Counter[TenantNo] = Counter()
        self._minutes: dict[TenantNo, dict[int, int]] = {}
        self._rejected: Counter[tuple[TenantNo, int, str]] = Counter()

    @property
    def incarnation(self) -> bytes:
        """Under which the messages for the shared tables are numbered."""
        return self._numbers[SHARED].incarnation

    def incarnation_of(self, tenant: TenantNo) -> bytes:
        """Under which the tenant's messages are numbered; some incarnation of this gate if there are none yet."""
        return self._incarnations.get(tenant, self.incarnation)

    def message(self, batch: EventBatch, *, wants_outcome: bool, placement: Placement = SHARED) -> Message:
        """The next message to `placement`, carrying the running totals with `batch` included."""
        numbers = self._numbers.get(placement)
        if numbers is None:
            numbers = self._numbers[placement] = _Numbers()
        numbers.last += 1
        self._incarnations[batch.tenant] = numbers.incarnation
        self._count(batch, len(batch))
        return Message(numbers.incarnation, numbers.last, (batch,), wants_outcome, placement)

    def take_back(self, message: Message) -> None:
        """Undo `message`, the newest one to its placement, which the queue has refused."""
        self._numbers[message.placement].last -= 1
        for batch in message.batches:
            self._count(batch, -len(batch))

    def _count(self, batch: EventBatch, events: int) -> None:
        minute = batch.received_us - batch.received_us % MINUTE_US
        self._accepted[batch.tenant] += events
        minutes = self._minutes.setdefault(batch.tenant, {})
        # Times of receipt are drawn before the body is decoded, so that a minute comes back once it was left.
        minutes[minute] = minutes.get(minute, 0) + events
        if len(minutes) > MINUTES_KEPT:
            del minutes[min(minutes)]
        batch.total = self._accepted[batch.tenant]
        batch.minute_total = minutes.get(minute, 0)

    def accepted(self, tenant: TenantNo) -> int:
        """Events accepted for a tenant since this gate started, those in the queue included."""
        return self._accepted[tenant]

    def reject(self, tenant: TenantNo, received_us: int, code: str, count: int = 1) -> None:
        self._rejected[tenant, received_us - received_us % MINUTE_US, code] += count

    def rejected(self, tenant: TenantNo, from_us: int | None, to_us: int | None) -> Counter[str]:
        """Rejected events that have not been handed to the store yet."""
        counts: Counter[str] = Counter()
        for (owner, minute_us, code), count in self._rejected.items():
            if owner == tenant and (from_us or 0) <= minute_us and (to_us is None or minute_us < to_us):
                counts[code] += count
        return counts

    def take_rejected(self) -> list[tuple[TenantNo, int, str, int]]:
        """Everything rejected since the last call; give it back with `restore_rejected` if it could not be kept."""
        taken, self._rejected = self._rejected, Counter()
        return [(*key, count) for key, count in taken.items()]

    def restore_rejected(self, counts: list[tuple[TenantNo, int, str, int]]) -> None:
        for tenant, minute_us, code, count in counts:
            self._rejected[tenant, minute_us, code] += count
