"""The books: three independent counts side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from ..model.books import Books, BooksStep, HeldMessage, StoreBooks
from ..model.events import TenantNo
from ..model.times import MINUTE_US
from ..ports.events import EventStore, Intake

TRIES = 5
PAUSE_S = 0.02
"""Between two readings of books that did not balance."""


class GateTotals(Protocol):
    """The gate's side of the books."""

    def incarnation_of(self, tenant: TenantNo) -> bytes: ...

    def accepted(self, tenant: TenantNo) -> int: ...

    def rejected(self, tenant: TenantNo, from_us: int | None, to_us: int | None) -> Counter[str]: ...


class Bookkeeper:
    """Reads the books of a tenant."""

    def __init__(self, gate: GateTotals, queue: Intake, store: EventStore) -> None:
        self._gate = gate
        self._queue = queue
        self._store = store

    async def books(self, tenant: TenantNo, from_us: int | None = None, to_us: int | None = None) -> Books:
        """The books since creation, or by received time over whole minutes that comprise [from_us, to_us).

        Read in this order: what this gate accepted, what the queue holds, the store's snapshot; so each message that
        was accepted before is found in the queue or in the store. What arrives meanwhile is told by the running totals
        in the messages themselves. Only a message that is put, and overtaken by a later one of its gate, within one
        reading is missed: the reading is repeated. For a range the gates' count is what their totals told the store.
        """
        ranged = from_us is not None or to_us is not None
        if ranged:
            from_us = (from_us or 0) // MINUTE_US * MINUTE_US
            to_us = None if to_us is None else -(-to_us // MINUTE_US) * MINUTE_US
        for tries in range(TRIES):
            if tries:
                await asyncio.sleep(PAUSE_S)
            accepted_here = self._gate.accepted(tenant)
            held = await self._queue.held()
            pending = self._gate.rejected(tenant, from_us, to_us)
            store = await self._store.books(tenant, from_us, to_us)
            waiting = [message for message in held if not _settled(message, store)]
            in_flight = sum(_events(message, tenant, from_us, to_us) for message in waiting)
            settled = store.stored + store.duplicate + sum(store.dead.values())
            if ranged:
                # The totals of a later message may have told the store of one that was overtaken and still waits.
                overtaken = [message for message in waiting if message.sequence < _newest(message.incarnation, store)]
                told = sum(_events(message, tenant, from_us, to_us) for message in overtaken)
                balanced = settled <= store.announced <= settled + told
                accepted = settled + in_flight if balanced else store.announced + in_flight
            else:
                accepted = _accepted(tenant, {self._gate.incarnation_of(tenant): accepted_here}, held, store)
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

    async def history(self, tenant: TenantNo, from_us: int, to_us: int, step_us: int) -> Sequence[BooksStep]:
        """What the store knows of [from_us, to_us), whole minutes, by steps of received time, oldest first.

        Nothing is compared here: what is in flight, and the rejects of the last seconds, are not in it yet.
        """
        return await self._store.book_history(tenant, from_us, to_us, step_us)


def _accepted(tenant: TenantNo, here: dict[bytes, int], held: Sequence[HeldMessage], store: StoreBooks) -> int:
    """Σ over gates of the highest running total anyone knows: the gate itself, the queue, the store."""
    highest: Counter[bytes] = Counter(here)
    for incarnation, total in store.announced_by.items():
        highest[incarnation] = max(highest[incarnation], total)
    for message in held:
        for owner, _, _, total in message.batches:
            if owner == tenant:
                highest[message.incarnation] = max(highest[message.incarnation], total)
    return sum(highest.values())


def _newest(incarnation: bytes, store: StoreBooks) -> int:
    """The highest settled sequence of a gate."""
    newest: int = max((store.claimed.get(incarnation, 0), *store.ahead.get(incarnation, ())))
    return newest


def _settled(message: HeldMessage, store: StoreBooks) -> bool:
    claimed = store.claimed.get(message.incarnation, 0)
    return message.sequence <= claimed or message.sequence in store.ahead.get(message.incarnation, ())


def _events(message: HeldMessage, tenant: TenantNo, from_us: int | None, to_us: int | None) -> int:
    return sum(
        count
        for owner, received_us, count, _ in message.batches
        if owner == tenant and (from_us or 0) <= received_us and (to_us is None or received_us < to_us)
    )
