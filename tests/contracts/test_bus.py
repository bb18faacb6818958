"""News of settled messages, and of changes, on every engine."""

import asyncio
from contextlib import asynccontextmanager
from itertools import count

import pytest

from telemetry_slice.engines.inprocess import LocalBus
from telemetry_slice.engines.redis.bus import RedisBus
from telemetry_slice.model.events import EventBatch, Kind, Message, Settlement, TenantNo

ACME, BETA = TenantNo(1), TenantNo(2)
DEADLINE_S = 20


def batch(tenant, count=2):
    made = EventBatch(tenant, 7)
    for number in range(count):
        made.keys.append(bytes([number]) * 16)
        made.texts.append(None)
        made.devices.append(1)
        made.device_ids.append("d")
        made.recorded_us.append(number)
        made.meanings.append(-number)
        made.measurements.append((("t", "C", Kind.NUMBER, 1.0), ("s", None, Kind.STRING, "ü")))
    made.doomed[0] = "clock"
    return made


def message(sequence, *tenants, wants_outcome=False):
    return Message(b"i" * 16, sequence, tuple(map(batch, tenants)), wants_outcome)


def settled(told):
    return Settlement(tuple(bytes(len(each)) for each in told.batches), {(0, 1): "conflict"}, 9)


class InProcess:
    def __init__(self, bus):
        self.bus = bus

    async def settle(self):
        """News is delivered in the call that tells it."""


class BetweenProcesses:
    def __init__(self, bus):
        self.bus = bus
        self._tenants = count(1_000_000)

    async def settle(self):
        """Until what was asked for is listened to, and what was told is heard: a tenant of our own comes after it."""
        tenant, begun, heard = TenantNo(next(self._tenants)), asyncio.Event(), asyncio.Event()
        end = self.bus.listen(tenant, lambda *_: heard.set(), lambda _: begun.set())
        async with asyncio.timeout(DEADLINE_S):
            await begun.wait()
            last = message(1, tenant)
            self.bus.publish(last, settled(last))
            await heard.wait()
        end()


@asynccontextmanager
async def in_process(request):
    yield InProcess(LocalBus())


@asynccontextmanager
async def redis(request):
    bus = RedisBus(request.getfixturevalue("valkey").url)
    await bus.start()
    yield BetweenProcesses(bus)
    await bus.stop()


BUSES = {"inprocess": in_process, "redis": redis}
"""How to make a bus; a new engine adds its line."""


@pytest.fixture(params=sorted(BUSES))
async def harness(request):
    async with BUSES[request.param](request) as made:
        yield made


@pytest.fixture
def bus(harness):
    return harness.bus


async def test_a_listener_hears_its_tenant_alone_and_everything_that_was_settled(bus, harness):
    heard = {ACME: [], BETA: []}
    for tenant, into in heard.items():
        bus.listen(tenant, lambda *news, into=into: into.append(news))
    await harness.settle()
    both, acme = message(1, ACME, BETA), message(2, ACME)
    bus.publish(both, settled(both))
    bus.publish(acme, settled(acme))
    await harness.settle()
    assert heard == {ACME: [(batch(ACME), bytes(2), 9)] * 2, BETA: [(batch(BETA), bytes(2), 9)]}


async def test_who_has_left_hears_nothing(bus, harness):
    heard = []
    ends = [bus.listen(ACME, lambda *news: heard.append(news)) for _ in range(2)]
    await harness.settle()
    told = message(1, ACME)
    ends[0]()
    bus.publish(told, settled(told))
    await harness.settle()
    assert len(heard) == 1
    ends[1]()
    ends[1]()
    bus.publish(told, settled(told))
    await harness.settle()
    assert len(heard) == 1


async def test_an_outcome_is_told_once_to_whom_it_concerns(bus, harness):
    told, other, heard = message(1, ACME, wants_outcome=True), message(2, ACME, wants_outcome=True), []
    bus.await_outcome(told, heard.append)
    await harness.settle()
    bus.publish(other, settled(other))
    await harness.settle()
    assert heard == []
    bus.publish(told, settled(told))
    bus.publish(told, settled(told))
    await harness.settle()
    assert heard == [settled(told)]


async def test_an_outcome_is_not_told_to_who_has_given_up(bus, harness):
    told, heard = message(1, ACME, wants_outcome=True), []
    end = bus.await_outcome(told, heard.append)
    await harness.settle()
    end()
    end()
    bus.publish(told, settled(told))
    await harness.settle()
    assert heard == []


async def test_a_listener_learns_when_it_begins_to_hear_all(bus, harness):
    hearing = []
    bus.listen(ACME, lambda *_: None, hearing.append)
    await harness.settle()
    assert hearing == [True]
    told = message(1, ACME)
    bus.publish(told, settled(told))
    await harness.settle()
    assert hearing == [True]


async def test_a_redelivered_message_is_no_news_but_may_have_been_missed(bus, harness):
    told, heard, hearing = message(1, ACME), [], []
    bus.listen(ACME, lambda *news: heard.append(news), hearing.append)
    await harness.settle()
    bus.publish(told, Settlement((), redelivered=True))
    await harness.settle()
    assert (heard, hearing) == ([], [True, True])


async def test_publishing_never_raises(bus, harness):
    told, heard = message(1, ACME, wants_outcome=True), []

    def broken(*_):
        raise RuntimeError("a listener that fails")

    bus.await_outcome(told, broken)
    bus.listen(ACME, broken, broken)
    bus.listen(ACME, lambda *news: heard.append(news))
    bus.on_change(broken)
    await harness.settle()
    bus.publish(told, settled(told))
    bus.tell_change(ACME)
    await harness.settle()
    assert len(heard) == 1


async def test_a_listener_may_leave_and_others_come_while_news_are_told(bus, harness):
    told, heard = message(1, ACME), []
    ends = []

    def once(*_):
        heard.append("once")
        ends[0]()
        bus.listen(ACME, lambda *_: heard.append("late"))

    ends.append(bus.listen(ACME, once))
    await harness.settle()
    bus.publish(told, settled(told))
    bus.publish(told, settled(told))
    await harness.settle()
    assert heard == ["once", "late"]


async def test_a_change_is_known_at_once_where_it_was_told(bus):
    changed = []
    end = bus.on_change(changed.append)
    bus.tell_change(BETA)
    assert changed == [BETA]
    end()
    end()
    bus.tell_change(BETA)
    assert changed == [BETA]
