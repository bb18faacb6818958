"""The books: three independent counts side by side."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from ..model.books import Books, HeldMessage, StoreBooks
from ..model.events import TenantNo
from ..model.times import MINUTE_US
from ..ports.events import EventQueue, EventStore

TRIES = 5


class GateTotals(Protocol):
    """The gate's side of the books."""

    incarnation: bytes

    def accepted(self, tenant: TenantNo) -> int: ...

    def rejected(self, tenant: TenantNo, from_us: int | None, to_us: int | None) -> Counter[str]: ...


class Bookkeeper:
    """Reads the books of a tenant."""

    def __init__(self, gate: GateTotals, queue: EventQueue, store: EventStore) -> None:
        self._gate = gate
        self._queue = queue
        self._store = store

    async def books(self, tenant: TenantNo, from_us: int | None = None, to_us: int | None = None) -> Books:
        """The books since creation, or by received time over whole minutes that comprise [from_us, to_us).

        The gate's totals and what the queue holds are noted at one instant, and the store's snapshot falls behind
        everything sent to it before that instant and before anything put later; where an engine cannot promise the
        second, the reading is repeated. For a range the gate's count is what its totals told the store, by minute.
        """
        ranged = from_us is not None or to_us is not None
        if ranged:
            from_us = (from_us or 0) // MINUTE_US * MINUTE_US
            to_us = None if to_us is None else -(-to_us // MINUTE_US) * MINUTE_US
        for _ in range(TRIES):
            accepted_here = self._gate.accepted(tenant)
            held = self._queue.held()
            pending = self._gate.rejected(tenant, from_us, to_us)
            store = await self._store.books(tenant, from_us, to_us)
            in_flight = sum(
                _events(message, tenant, from_us, to_us) for message in held if not _settled(message, store)
            )
            if ranged:
                accepted = store.announced + in_flight
            else:
                elsewhere = store.announced - store.announced_by.get(self._gate.incarnation, 0)
                accepted = elsewhere + accepted_here
            settled = store.stored + store.duplicate + sum(store.dead.values())
            balanced = accepted == settled + in_flight
            if balanced:
                break
        rejected = Counter(store.rejected) + pending
        return Books(
            from_us,
            to_us,
            accepted + rejected.total(),
            accepted,
            dict(rejected),
            store.stored,
            store.duplicate,
            store.dead,
            in_flight,
            balanced,
        )


def _settled(message: HeldMessage, store: StoreBooks) -> bool:
    claimed = store.claimed.get(message.incarnation, 0)
    return message.sequence <= claimed or message.sequence in store.ahead.get(message.incarnation, ())


def _events(message: HeldMessage, tenant: TenantNo, from_us: int | None, to_us: int | None) -> int:
    return sum(
        count
        for owner, received_us, count in message.batches
        if owner == tenant and (from_us or 0) <= received_us and (to_us is None or received_us < to_us)
    )
