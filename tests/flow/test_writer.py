"""The writer: poison is buried alone, an unreachable store buries nothing, a suspect store pauses it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_slice.engines.inprocess import HandOffQueue, LocalBus
from telemetry_slice.flow import writer as stage
from telemetry_slice.flow.writer import Writer
from telemetry_slice.model.errors import DataError, UnavailableError
from telemetry_slice.model.events import EventBatch, Kind, Message, Outcome, Settlement, TenantNo, event_key

INCARNATION = os.urandom(16)
NOW_US = 1_790_000_000_000_000


class Store:
    """Keeps what it is given, except poisonous event ids, and only while it is up."""

    def __init__(self, poison: Sequence[str] = ()) -> None:
        self.poison = {event_key(name)[0] for name in poison}
        self.up = True
        self.calls = 0
        self.stored: dict[TenantNo, list[str]] = {}
        self.dead: dict[TenantNo, list[tuple[str, str]]] = {}
        self.claimed: set[int] = set()

    async def split(self, messages: Sequence[Message]) -> list[Sequence[Message]]:
        return [messages]

    async def append(self, messages: Sequence[Message], *, commit: bool = True) -> list[Settlement]:
        self.calls += 1
        if not self.up:
            raise UnavailableError("down")
        settlements = []
        for message in messages:
            if message.sequence in self.claimed:
                settlements.append(Settlement((), redelivered=True))
                continue
            outcomes, reasons = [], {}
            for at, batch in enumerate(message.batches):
                for index, key in enumerate(batch.keys):
                    if index in batch.doomed:
                        reasons[at, index] = batch.doomed[index]
                    elif key in self.poison:
                        raise DataError("cannot be kept")
                outcomes.append(bytes(Outcome.DEAD if i in batch.doomed else Outcome.STORED for i in range(len(batch))))
            settlements.append(Settlement(tuple(outcomes), reasons, NOW_US))
        if commit:
            for message, settlement in zip(messages, settlements, strict=True):
                if settlement.redelivered:
                    continue
                self.claimed.add(message.sequence)
                for batch in message.batches:
                    for index in range(len(batch)):
                        name = batch.event_id(index)
                        if index in batch.doomed:
                            self.dead.setdefault(batch.tenant, []).append((name, batch.doomed[index]))
                        else:
                            self.stored.setdefault(batch.tenant, []).append(name)
        return settlements


def message(sequence: int, names: Sequence[str], tenant: int = 1) -> Message:
    batch = EventBatch(TenantNo(tenant), NOW_US)
    for name in names:
        key, text = event_key(name)
        batch.keys.append(key)
        batch.texts.append(text)
        batch.devices.append(1)
        batch.device_ids.append("dev")
        batch.recorded_us.append(NOW_US)
        batch.meanings.append(1)
        batch.measurements.append((("n", None, int(Kind.NUMBER), 1.0),))
    return Message(INCARNATION, sequence, (batch,))


@asynccontextmanager
async def running(store: Store, gather_s: float = 0.0):
    queue = HandOffQueue(10_000)
    writer = Writer(queue, store, LocalBus(), max_events=1_000, gather_s=gather_s)
    loop = asyncio.create_task(writer.run())
    try:
        yield queue
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


@settings(max_examples=60, deadline=None, print_blob=True)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    data=st.data(),
)
def test_poison_is_buried_alone(sizes, data):
    """Whatever is bad in whichever messages: exactly that is dead with its reason, everything else is stored."""
    names = [[str(uuid.UUID(int=at * 100 + i)) for i in range(size)] for at, size in enumerate(sizes)]
    everything = [name for batch in names for name in batch]
    poison = data.draw(st.lists(st.sampled_from(everything), unique=True, max_size=3))
    store = Store(poison)

    async def scenario() -> None:
        async with running(store) as queue:
            await asyncio.gather(*(queue.put(message(at + 1, batch)) for at, batch in enumerate(names)))
            assert not await queue.held()

    asyncio.run(scenario())
    assert sorted(store.stored.get(TenantNo(1), [])) == sorted(set(everything) - set(poison))
    assert sorted(store.dead.get(TenantNo(1), [])) == sorted((name, "poison") for name in poison)


async def test_one_bad_event_of_a_thousand_costs_few_tries():
    """Halving: about 2 log2(n) trials, not n."""
    names = [str(uuid.UUID(int=i)) for i in range(1_000)]
    store = Store([names[637]])
    async with running(store) as queue:
        await queue.put(message(1, names))
    assert store.dead == {TenantNo(1): [(names[637], "poison")]}
    assert store.calls <= 2 * 11 + 2


@pytest.mark.parametrize(("size", "spared"), [(1, True), (100, False)])
async def test_small_batches_keep_their_distance_and_large_ones_do_not_wait(size, spared):
    store, loop, times, gather_s = Store(), asyncio.get_running_loop(), 10, 0.1
    async with running(store, gather_s) as queue:
        await queue.put(message(1, [str(uuid.uuid4())]))
        began = loop.time()
        for number in range(2, times + 2):
            await queue.put(message(number, [str(uuid.uuid4()) for _ in range(size)]))
        took = loop.time() - began
    assert store.calls == times + 1
    assert (took > (times - 1) * gather_s) == spared


async def test_an_unreachable_store_buries_nothing(monkeypatch):
    """Its senders are told that the outcome is unknown; when it is back, everything is stored, once."""
    monkeypatch.setattr(stage, "FIRST_RETRY_S", 0.001)
    store = Store()
    store.up = False
    async with running(store) as queue:
        answers = await asyncio.gather(
            *(queue.put(message(n, [str(uuid.UUID(int=n))])) for n in (1, 2, 3)), return_exceptions=True
        )
        assert all(isinstance(answer, UnavailableError) for answer in answers)
        assert len(await queue.held()) == 3
        store.up = True
        async with asyncio.timeout(10):
            while await queue.held():
                await asyncio.sleep(0.001)
    assert len(store.stored[TenantNo(1)]) == 3
    assert store.dead == {}


class PlacedApart(Store):
    """Each tenant is a placement of its own; those in `away` cannot be reached."""

    def __init__(self, away: set[int]) -> None:
        super().__init__()
        self.away = away

    async def split(self, messages: Sequence[Message]) -> list[Sequence[Message]]:
        tenants = sorted({each.batches[0].tenant for each in messages})
        return [[each for each in messages if each.batches[0].tenant == tenant] for tenant in tenants]

    async def append(self, messages: Sequence[Message], *, commit: bool = True) -> list[Settlement]:
        [tenant] = {each.batches[0].tenant for each in messages}
        if tenant in self.away:
            raise UnavailableError("away")
        return await super().append(messages, commit=commit)


async def test_a_placement_that_is_away_is_retried_alone(monkeypatch):
    """What was leased with it is stored and answered; it follows when it is back."""
    monkeypatch.setattr(stage, "FIRST_RETRY_S", 0.001)
    store = PlacedApart(away={2})
    async with running(store) as queue:
        sent = [queue.put(message(n, [str(uuid.UUID(int=n))], tenant=n % 3 + 1)) for n in range(1, 7)]
        answers = await asyncio.gather(*sent, return_exceptions=True)
        assert [isinstance(answer, UnavailableError) for answer in answers] == [True, False, False] * 2
        assert {held.batches[0][0] for held in await queue.held()} == {2}
        store.away.clear()
        async with asyncio.timeout(30):
            while await queue.held():
                await asyncio.sleep(0.001)
    assert {tenant: len(names) for tenant, names in store.stored.items()} == {1: 2, 2: 2, 3: 2}


async def test_a_store_that_is_away_for_hours_is_tried_for_as_long(monkeypatch):
    """More failures than a power of two can count in a float."""
    monkeypatch.setattr(stage, "FIRST_RETRY_S", 0.0)
    store = Store()
    store.up = False
    async with running(store) as queue:
        with pytest.raises(UnavailableError):
            await queue.put(message(1, [str(uuid.UUID(int=1))]))
        async with asyncio.timeout(60):
            while store.calls < 1_100:
                await asyncio.sleep(0)
            store.up = True
            while await queue.held():
                await asyncio.sleep(0.001)
    assert len(store.stored[TenantNo(1)]) == 1


@pytest.mark.parametrize("tenants", [1, 2])
async def test_a_store_that_refuses_half_of_everything_is_suspected(monkeypatch, tenants):
    """For several tenants at once the writer pauses instead of burying; one tenant's bad device is just that."""
    monkeypatch.setattr(stage, "FIRST_RETRY_S", 0.001)
    names = [str(uuid.UUID(int=n)) for n in range(stage.PAUSE_WINDOW)]
    store = Store(names)
    async with running(store) as queue:
        answers = await asyncio.gather(
            *(queue.put(message(n + 1, [name], tenant=n % tenants + 1)) for n, name in enumerate(names)),
            return_exceptions=True,
        )
        refused = sum(isinstance(answer, UnavailableError) for answer in answers)
        if tenants == 1:
            assert refused == 0
            assert len(store.dead[TenantNo(1)]) == len(names)
        else:
            assert refused > 0
            store.poison.clear()
            async with asyncio.timeout(10):
                while await queue.held():
                    await asyncio.sleep(0.001)
            assert sum(map(len, store.stored.values())) > 0
