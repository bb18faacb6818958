"""News of settled messages on every engine."""

import pytest

from telemetry_slice.engines.inprocess import LocalBus
from telemetry_slice.model.events import EventBatch, Kind, Message, Settlement, TenantNo

ACME, BETA = TenantNo(1), TenantNo(2)
BUSES = {"inprocess": LocalBus}
"""How to make a bus; a new engine adds its line."""


@pytest.fixture(params=sorted(BUSES))
def bus(request):
    return BUSES[request.param]()


def batch(tenant, count=2):
    made = EventBatch(tenant, 7)
    for number in range(count):
        made.keys.append(bytes([number]) * 16)
        made.texts.append(None)
        made.devices.append(1)
        made.device_ids.append("d")
        made.recorded_us.append(number)
        made.meanings.append(number)
        made.measurements.append((("t", "C", Kind.NUMBER, 1.0),))
    return made


def message(sequence, *tenants):
    return Message(b"i" * 16, sequence, tuple(map(batch, tenants)))


def settled(told):
    return Settlement(tuple(bytes(len(each)) for each in told.batches), {}, 9)


async def test_a_listener_hears_its_tenant_alone(bus):
    heard = {ACME: [], BETA: []}
    for tenant, into in heard.items():
        bus.listen(
            tenant, lambda batch, outcomes, stored_us, into=into: into.append((batch.tenant, outcomes, stored_us))
        )
    both, acme = message(1, ACME, BETA), message(2, ACME)
    bus.publish(both, settled(both))
    bus.publish(acme, settled(acme))
    assert heard == {ACME: [(ACME, bytes(2), 9)] * 2, BETA: [(BETA, bytes(2), 9)]}


async def test_who_has_left_hears_nothing(bus):
    heard = []
    ends = [bus.listen(ACME, lambda *news: heard.append(news)) for _ in range(2)]
    told = message(1, ACME)
    ends[0]()
    bus.publish(told, settled(told))
    assert len(heard) == 1
    ends[1]()
    ends[1]()
    bus.publish(told, settled(told))
    assert len(heard) == 1


async def test_an_outcome_is_told_once_to_whom_it_concerns(bus):
    told, other, heard = message(1, ACME), message(2, ACME), []
    bus.await_outcome(told, heard.append)
    bus.publish(other, settled(other))
    assert heard == []
    bus.publish(told, settled(told))
    bus.publish(told, settled(told))
    assert heard == [settled(told)]


async def test_an_outcome_is_not_told_to_who_has_given_up(bus):
    told, heard = message(1, ACME), []
    end = bus.await_outcome(told, heard.append)
    end()
    end()
    bus.publish(told, settled(told))
    assert heard == []


async def test_a_redelivered_message_is_no_news_to_listeners(bus):
    told, heard = message(1, ACME), []
    bus.listen(ACME, lambda *news: heard.append(news))
    bus.publish(told, Settlement((), redelivered=True))
    assert heard == []


async def test_publishing_never_raises(bus):
    told, heard = message(1, ACME), []

    def broken(*_):
        raise RuntimeError("a listener that fails")

    bus.await_outcome(told, broken)
    bus.listen(ACME, broken)
    bus.listen(ACME, lambda *news: heard.append(news))
    bus.publish(told, settled(told))
    assert len(heard) == 1


async def test_a_listener_may_leave_and_others_come_while_news_are_told(bus):
    told, heard = message(1, ACME), []
    ends = []

    def once(*_):
        heard.append("once")
        ends[0]()
        bus.listen(ACME, lambda *_: heard.append("late"))

    ends.append(bus.listen(ACME, once))
    bus.publish(told, settled(told))
    bus.publish(told, settled(told))
    assert heard == ["once", "late"]
