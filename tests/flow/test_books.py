"""The books of several gates and writers: what waits is explained, what is missing is seen."""

import asyncio
from collections import Counter

from telemetry_slice.flow import books as stage
from telemetry_slice.flow.books import Bookkeeper
from telemetry_slice.flow.gate.totals import Totals
from telemetry_slice.model.books import HeldMessage, StoreBooks
from telemetry_slice.model.events import EventBatch, TenantNo
from telemetry_slice.model.times import MINUTE_US

ACME = TenantNo(1)
NOW_US = 30_000_000 * MINUTE_US


class Queue:
    """Holds what it was told to hold."""

    def __init__(self):
        self.messages = []

    async def held(self):
        await asyncio.sleep(0)
        return [HeldMessage.of(message) for message in self.messages]


class Store:
    """Counts what was settled, in any order."""

    def __init__(self):
        self.settled = []

    async def books(self, tenant, from_us=None, to_us=None):
        await asyncio.sleep(0)
        announced, minutes, stored = Counter(), Counter(), 0
        claimed, ahead = Counter(), {}
        for message in self.settled:
            numbers = ahead.setdefault(message.incarnation, set())
            numbers.add(message.sequence)
            for batch in message.batches:
                minute = batch.received_us // MINUTE_US * MINUTE_US
                if batch.tenant != tenant or not (from_us or 0) <= minute < (1 << 62 if to_us is None else to_us):
                    continue
                stored += len(batch)
                announced[message.incarnation] = max(announced[message.incarnation], batch.total)
                key = message.incarnation, minute
                minutes[key] = max(minutes[key], batch.minute_total)
        for incarnation, numbers in ahead.items():
            while claimed[incarnation] + 1 in numbers:
                claimed[incarnation] += 1
                numbers.remove(claimed[incarnation])
        if from_us is not None or to_us is not None:
            announced = Counter()
            for (incarnation, _), total in minutes.items():
                announced[incarnation] += total
        return StoreBooks(
            announced.total(),
            dict(announced),
            stored,
            claimed=dict(claimed),
            ahead={incarnation: frozenset(numbers) for incarnation, numbers in ahead.items()},
        )


class Platform:
    """Two gates over one queue and one store; books are read at the first."""

    def __init__(self):
        self.gates = [Totals(), Totals()]
        self.queue, self.store = Queue(), Store()
        self.bookkeeper = Bookkeeper(self.gates[0], self.queue, self.store)

    def put(self, gate, events, received_us=NOW_US):
        batch = EventBatch(ACME, received_us, keys=[bytes(16)] * events)
        message = self.gates[gate].message(batch, wants_outcome=False)
        self.queue.messages.append(message)
        return message

    def settle(self, message):
        self.queue.messages.remove(message)
        self.store.settled.append(message)

    def lose(self, message):
        self.queue.messages.remove(message)

    async def read(self, ranged=False):
        span = (NOW_US, NOW_US + 10 * MINUTE_US) if ranged else ()
        books = await self.bookkeeper.books(ACME, *span)
        return books.accepted, books.stored, books.in_flight, books.balanced

    async def both(self):
        """The books since creation, which those of the whole range must equal."""
        whole = await self.read()
        assert await self.read(ranged=True) == whole
        return whole


async def test_what_other_gates_have_in_the_queue_is_accepted_and_in_flight():
    platform = Platform()
    platform.settle(platform.put(0, 2))
    platform.settle(platform.put(1, 3))
    platform.put(0, 5)
    platform.put(1, 7)
    assert await platform.both() == (17, 5, 12, True)


async def test_a_message_that_was_overtaken_is_no_gap():
    platform = Platform()
    messages = [platform.put(gate, 2, NOW_US + at * MINUTE_US) for at, gate in enumerate((0, 1, 0, 1, 0, 1))]
    for message in messages[2:5]:
        platform.settle(message)
    assert await platform.both() == (12, 6, 6, True)
    for message in (*messages[:2], messages[5]):
        platform.settle(message)
    assert await platform.both() == (12, 12, 0, True)


async def test_a_lost_message_is_a_gap_whoever_announced_it(monkeypatch):
    monkeypatch.setattr(stage, "PAUSE_S", 0)
    for gate in (0, 1):
        platform = Platform()
        platform.settle(platform.put(gate, 2))
        platform.lose(platform.put(gate, 3))
        later = platform.put(gate, 4)
        assert await platform.read() == (9, 2, 4, False)
        platform.settle(later)
        assert await platform.both() == (9, 6, 0, False)


async def test_the_newest_message_of_this_gate_is_missed_too(monkeypatch):
    monkeypatch.setattr(stage, "PAUSE_S", 0)
    platform = Platform()
    platform.settle(platform.put(0, 2))
    platform.lose(platform.put(0, 3))
    assert await platform.read() == (5, 2, 0, False)


async def test_a_message_that_waits_does_not_hide_a_lost_one(monkeypatch):
    monkeypatch.setattr(stage, "PAUSE_S", 0)
    platform = Platform()
    lost, waiting, later = (platform.put(1, 3) for _ in range(3))
    platform.lose(lost)
    platform.settle(later)
    assert await platform.read() == (9, 3, 3, False)
    platform.settle(waiting)
    assert await platform.both() == (9, 6, 0, False)


async def test_a_reading_during_traffic_balances():
    """Messages come and are settled at every step of the reading."""
    platform = Platform()
    going = True

    async def traffic():
        while going:
            message = platform.put(0, 1)
            platform.put(1, 2)
            await asyncio.sleep(0)
            platform.settle(message)
            await asyncio.sleep(0)
            platform.settle(platform.queue.messages[0])

    running = asyncio.create_task(traffic())
    for _ in range(50):
        assert (await platform.read())[3]
    going = False
    await running
