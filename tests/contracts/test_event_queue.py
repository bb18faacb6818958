"""The queue between gate and writer, on every engine: nothing vanishes, nobody starves, everything is bounded."""

import asyncio
import random
from collections import Counter
from itertools import count
from uuid import uuid4

import pytest

from telemetry_slice.engines import inprocess
from telemetry_slice.engines.inprocess import HandOffQueue
from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.engines.nats.settings import LaneSettings
from telemetry_slice.model.errors import QueueFullError, UnavailableError
from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo

GATE = b"gate" * 4
ACME, BETA, GAMMA = map(TenantNo, (1, 2, 3))


class InProcess:
    """The hand-over within one process."""

    MAX_EVENTS = 1_000

    def __init__(self, request, monkeypatch):
        monkeypatch.setattr(inprocess, "SWEEP_S", 0.01)

    async def open(self):
        return HandOffQueue(self.MAX_EVENTS, timeout_s=0.3)

    def fall_silent(self):
        """Senders hear nothing while nobody settles anything."""

    def speak(self):
        pass

    async def close(self, queue):
        pass


class JetStream:
    """A lane of its own on a real server."""

    def __init__(self, request, monkeypatch):
        self.server = request.getfixturevalue("nats_server")

    async def open(self):
        queue = JetStreamQueue(
            LaneSettings(
                (self.server.url,),
                lane=uuid4().hex,
                monitor_url=self.server.monitor_url,
                max_bytes=256 << 10,
                timeout_s=2,
            )
        )
        await queue.start()
        return queue

    def fall_silent(self):
        self.server.pause()

    def speak(self):
        self.server.resume()

    async def close(self, queue):
        await queue.close(drain_s=0)


QUEUES = {"inprocess": InProcess, "nats": JetStream}
"""How to make an empty, bounded queue; a new engine adds its line."""


@pytest.fixture(params=sorted(QUEUES))
def harness(request, monkeypatch):
    return QUEUES[request.param](request, monkeypatch)


@pytest.fixture
async def queue(harness):
    opened = await harness.open()
    yield opened
    await harness.close(opened)


def message(sequence, count=1, tenant=ACME):
    batch = EventBatch(
        tenant,
        7,
        keys=[bytes(16)] * count,
        texts=[None] * count,
        devices=[1] * count,
        device_ids=["meter"] * count,
        recorded_us=[5] * count,
        meanings=[-1] * count,
        measurements=[(("n", None, int(Kind.NUMBER), 1.5),)] * count,
        total=sequence * 10,
    )
    return Message(GATE, sequence, (batch,))


def sequences(messages):
    return [each.sequence for each in messages]


async def held(queue):
    return sorted(each.sequence for each in await queue.held())


async def until(true):
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.001)


async def until_held(queue, wanted):
    """The queue holds exactly `wanted`; an ack takes effect soon, on some engines not at once."""

    async def settled():
        try:
            return await held(queue) == wanted
        except UnavailableError:
            return False

    await until(settled)


async def put_all(queue, messages):
    """Senders of the messages, once the queue holds them all."""
    senders = [asyncio.create_task(queue.put(each)) for each in messages]

    async def taken():
        return set(sequences(messages)) <= set(await held(queue))

    await until(taken)
    return senders


async def lease_within(queue, max_events, seconds=10.0):
    return list(await asyncio.wait_for(queue.lease(max_events), seconds))


async def test_what_is_put_is_leased_and_forgotten_when_acked(queue):
    (sender,) = await put_all(queue, [message(1, 3)])
    assert [(each.incarnation, each.sequence, tuple(each.batches)) for each in await queue.held()] == [
        (GATE, 1, ((ACME, 7, 3, 10),))
    ]
    (leased,) = await lease_within(queue, 10)
    assert (leased.incarnation, leased.sequence, leased.event_count) == (GATE, 1, 3)
    assert leased == message(1, 3)
    assert await held(queue) == [1]
    await queue.ack([leased])
    await asyncio.wait_for(sender, 20)
    await until_held(queue, [])
    await queue.ack([leased])
    assert await held(queue) == []


async def test_a_lease_waits_for_a_message(queue):
    leasing = asyncio.create_task(queue.lease(10))
    done, _ = await asyncio.wait([leasing], timeout=0.02)
    assert not done
    (sender,) = await put_all(queue, [message(1)])
    await queue.ack(await asyncio.wait_for(leasing, 20))
    await sender


async def test_a_lease_takes_about_what_it_asks_for_and_at_least_one(queue):
    senders = await put_all(queue, [message(n, 100) for n in range(1, 6)])
    first = await lease_within(queue, 1)
    assert len(first) == 1
    second = await lease_within(queue, 200)
    assert len(second) == 2
    rest = await lease_within(queue, 10_000)
    assert sorted(sequences(first + second + rest)) == [1, 2, 3, 4, 5]
    await queue.ack(first + second + rest)
    await asyncio.gather(*senders)


async def test_leased_messages_are_not_leased_again(queue):
    await put_all(queue, [message(1), message(2)])
    leased = await lease_within(queue, 1) + await lease_within(queue, 1)
    assert sorted(sequences(leased)) == [1, 2]
    with pytest.raises(TimeoutError):
        await lease_within(queue, 10, 0.02)
    await queue.ack(leased)


async def test_a_retried_message_comes_again_after_its_delay(queue):
    loop = asyncio.get_running_loop()
    (sender,) = await put_all(queue, [message(1)])
    leased = await lease_within(queue, 10)
    given_back = loop.time()
    await queue.retry(leased, 0.1)
    assert await held(queue) == [1]
    again = await lease_within(queue, 10)
    assert sequences(again) == [1]
    assert loop.time() - given_back >= 0.09
    await queue.ack(again)
    await until_held(queue, [])
    await asyncio.gather(sender, return_exceptions=True)


async def test_the_bound_refuses_and_takes_nothing(queue):
    taken = []
    for number in count(1):
        sender = asyncio.create_task(queue.put(message(number, 100)))

        async def decided(sender=sender, number=number):
            return sender.done() or number in await held(queue)

        await until(decided)
        if sender.done() and isinstance(sender.exception(), QueueFullError):
            break
        taken.append(number)
    refused = number
    assert len(taken) > 5
    assert await held(queue) == taken
    leased = await lease_within(queue, 300)
    # Leased is not settled: it still counts.
    with pytest.raises(QueueFullError):
        await queue.put(message(refused, 100))
    seen = sequences(leased)
    await queue.ack(leased)
    while len(seen) < len(taken):
        leased = await lease_within(queue, 300)
        seen += sequences(leased)
        await queue.ack(leased)
    assert sorted(seen) == taken
    await until_held(queue, [])

    async def room():
        # The number that was refused is the newest and is given again.
        later = asyncio.create_task(queue.put(message(refused, 100)))
        await asyncio.wait({later}, timeout=0.05)
        return not (later.done() and later.exception())

    await until(room)
    leased = await lease_within(queue, 300)
    assert sequences(leased) == [refused]
    await queue.ack(leased)


async def test_the_hand_over_is_bounded_in_events():
    bound = InProcess.MAX_EVENTS
    queue = HandOffQueue(bound)
    senders = await put_all(queue, [message(1, bound - 10)])
    with pytest.raises(QueueFullError):
        await queue.put(message(2, 11))
    assert await held(queue) == [1]
    senders += await put_all(queue, [message(3, 10)])
    with pytest.raises(QueueFullError):
        await queue.put(message(4))
    leased = await lease_within(queue, bound)
    with pytest.raises(QueueFullError):
        await queue.put(message(5))
    await queue.ack(leased)
    senders += await put_all(queue, [message(6, bound)])
    await queue.ack(await lease_within(queue, 1))
    await asyncio.gather(*senders)


async def test_a_sender_that_hears_nothing_is_told_that_the_outcome_is_unknown_and_the_message_stays(harness, queue):
    harness.fall_silent()
    try:
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(queue.put(message(1)), 20)
    finally:
        harness.speak()
    await until_held(queue, [1])
    leased = await lease_within(queue, 10)
    assert sequences(leased) == [1]
    await queue.ack(leased)
    await until_held(queue, [])


async def test_a_sender_that_gives_up_leaves_its_message(queue):
    (sender,) = await put_all(queue, [message(1)])
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    assert await held(queue) == [1]
    assert sequences(await lease_within(queue, 10)) == [1]


async def test_a_long_line_does_not_keep_others_waiting(queue):
    senders = await put_all(queue, [message(n, 5) for n in range(1, 101)])
    senders += await put_all(queue, [message(200, 5, BETA), message(300, 5, GAMMA)])
    leased = await lease_within(queue, 15)
    assert {each.batches[0].tenant for each in leased} == {ACME, BETA, GAMMA}
    await queue.ack(leased + await lease_within(queue, 10_000))
    await asyncio.gather(*senders)


async def test_nothing_is_lost_or_kept_whatever_the_order_of_events(queue, seed):
    """Many senders, several writers, failures at random: every message is acked once it was leased, none is left."""
    chance = random.Random(seed)
    settled = Counter()

    async def write():
        while True:
            leased = await queue.lease(20)
            await asyncio.sleep(0)
            for each in leased:
                if chance.random() < 0.2:
                    await queue.retry([each], chance.random() / 100)
                else:
                    await queue.ack([each])
                    settled[each.sequence] += 1

    writers = [asyncio.create_task(write()) for _ in range(3)]
    wanted = [message(n, chance.randint(1, 9), chance.choice([ACME, BETA, GAMMA])) for n in range(1, 201)]
    refused = set()

    async def send(each):
        await asyncio.sleep(chance.random() / 20)
        try:
            await queue.put(each)
        except QueueFullError:
            refused.add(each.sequence)
        except UnavailableError:
            pass

    await asyncio.gather(*map(send, wanted))
    await until_held(queue, [])
    for writer in writers:
        writer.cancel()
    await asyncio.gather(*writers, return_exceptions=True)
    assert settled.keys() == set(sequences(wanted)) - refused
    assert set(settled.values()) <= {1}


async def test_a_steady_stream_needs_no_timer_for_each_message(queue):
    loop = asyncio.get_running_loop()
    before = len(loop._scheduled) if hasattr(loop, "_scheduled") else 0
    for number in range(1, 301):
        (sender,) = await put_all(queue, [message(number)])
        await queue.ack(await lease_within(queue, 10))
        await sender
    if hasattr(loop, "_scheduled"):
        alive = [handle for handle in loop._scheduled if not handle.cancelled()]
        assert len(alive) - before < 20


async def test_what_was_given_back_comes_before_what_came_later(queue):
    """A newer message carries the totals of the older: settled first, it would announce events that may never be."""
    senders = await put_all(queue, [message(n) for n in (1, 2, 3)])
    leased = await lease_within(queue, 3)
    senders += await put_all(queue, [message(4)])
    await queue.retry(leased, 0.02)
    senders += await put_all(queue, [message(5)])
    seen = []
    while len(seen) < 5:
        again = await lease_within(queue, 2)
        seen += sequences(again)
        await queue.ack(again)
    assert seen == [1, 2, 3, 4, 5]
    await asyncio.gather(*senders, return_exceptions=True)
