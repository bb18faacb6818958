"""The gate without HTTP: devices, quotas, capacity, running totals, and a queue that refuses, loses or answers late."""

import asyncio
import json
from contextlib import suppress
from types import SimpleNamespace

import pytest

from telemetry_slice.engines.inprocess import LocalBus, TokenBuckets
from telemetry_slice.flow.gate.admit import Gate, GateSettings, QuotaExceededError
from telemetry_slice.flow.gate.capacity import Capacity
from telemetry_slice.flow.gate.decode import decode
from telemetry_slice.flow.gate.devices import KEPT_US
from telemetry_slice.flow.gate.totals import Totals
from telemetry_slice.model.errors import Code, QueueFullError, SliceError, UnavailableError
from telemetry_slice.model.events import EventBatch, TenantNo
from telemetry_slice.model.tenancy import DeviceKey, GatewayKey, Limits, Scope, ServiceKey
from telemetry_slice.model.times import MINUTE_US

ACME, BETA, GAMMA = map(TenantNo, (1, 2, 3))


class Queue:
    """Takes messages as told: an exception, or None to keep them."""

    def __init__(self):
        self.kept = []
        self.refusal = None

    async def put(self, message):
        if self.refusal is not None:
            raise self.refusal
        self.kept.append(message)


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def gate(queue, registry, clock):
    return Gate(
        queue,
        registry.devices,
        TokenBuckets(clock.monotonic),
        LocalBus(),
        clock,
        GateSettings(),
        monotonic=clock.monotonic,
    )


@pytest.fixture
def gateway(acme):
    return GatewayKey(acme, "gateway-key")


def events(*devices, **more):
    body = [
        {"eventId": f"e{n}", "deviceId": device, "recordedAt": 1_780_000_000_000, "type": "t", "value": 1.0, **more}
        for n, device in enumerate(devices)
    ]
    return decode(json.dumps(body).encode(), 1, ndjson=False, max_events=1000)


async def accept(gate, principal, *devices, **more):
    return await gate.accept(principal, events(*devices, **more), gate._clock.now_us())


def codes(receipt):
    return [(rejected.index, rejected.code.value) for rejected in receipt.rejected]


# ------------------------------------------------------------------------------------------------------ devices
async def test_a_gateway_registers_what_it_does_not_know(gate, gateway, registry, acme):
    receipt = await accept(gate, gateway, "dev-1", "dev-2", "dev-1")
    assert (receipt.accepted, receipt.rejected) == (3, [])
    known = await registry.devices.resolve(acme.no, ["dev-1", "dev-2"])
    assert receipt.batch.devices == [known[name].no for name in ("dev-1", "dev-2", "dev-1")]


async def test_what_cannot_be_a_device_is_not_registered(gate, gateway, registry, acme):
    receipt = await accept(gate, gateway, "", "x" * 129, "a\nb", "fine")
    assert (receipt.accepted, codes(receipt)) == (1, [(0, "invalid"), (1, "invalid"), (2, "invalid")])
    page = await registry.devices.page(
        acme.no, query=None, tag=None, location=None, sort="deviceId", descending=False, after=None, limit=10
    )
    assert [device.id for device in page] == ["fine"]


async def test_nobody_else_registers(gate, registry, acme):
    closed = await registry.tenants.create("closed", "Closed", auto_register=False)
    service = ServiceKey(acme, "s", frozenset({Scope.INGEST}))
    for principal in (GatewayKey(closed, "g"), service):
        receipt = await accept(gate, principal, "dev-1")
        assert (receipt.accepted, codes(receipt)) == (0, [(0, "unknown_device")])
        await registry.devices.register(principal.tenant.no, ["dev-1"])
        # What was unknown is asked for again.
        assert (await accept(gate, principal, "dev-1")).accepted == 1


async def test_a_device_key_speaks_for_itself(gate, registry, acme):
    own = (await registry.devices.register(acme.no, ["own", "other"]))["own"]
    receipt = await accept(gate, DeviceKey(acme, "k", own.no, own.id), "other", "own", "nobody")
    assert (receipt.accepted, codes(receipt)) == (1, [(0, "foreign_device"), (2, "foreign_device")])
    assert receipt.places == [1]


async def test_a_deleted_device_is_refused_once_the_gate_knows(gate, gateway, registry, acme, clock):
    await accept(gate, gateway, "dev-1")
    await registry.devices.delete(acme.no, "dev-1")
    gate.forget_devices(acme.no)
    assert codes(await accept(gate, gateway, "dev-1")) == [(0, "device_deleted")]
    # Without news it is looked up again by and by.
    await accept(gate, gateway, "dev-2")
    await registry.devices.delete(acme.no, "dev-2")
    assert (await accept(gate, gateway, "dev-2")).accepted == 1
    clock.advance(KEPT_US / 1e6 + 1)
    assert codes(await accept(gate, gateway, "dev-2")) == [(0, "device_deleted")]


async def test_tenants_have_their_own_devices(gate, acme, beta):
    first = await accept(gate, GatewayKey(acme, "a"), "same")
    second = await accept(gate, GatewayKey(beta, "b"), "same")
    assert first.batch.devices != second.batch.devices
    assert (first.batch.tenant, second.batch.tenant) == (acme.no, beta.no)


# ------------------------------------------------------------------------------------------------------- quotas
async def broken(gate, principal, events=None):
    try:
        await (gate.admit_request(principal) if events is None else gate.admit_events(principal, events))
    except QuotaExceededError as error:
        return error.policy, error.broken.limit
    return None


async def test_default_quotas_of_requests(gate, acme):
    """100 a key, 1,000 a tenant, 10,000 in all."""

    async def exhaust(principal, limit):
        admitted = 0
        while (refusal := await broken(gate, principal)) is None:
            admitted += 1
        assert admitted == limit
        return refusal

    assert await exhaust(GatewayKey(acme, "k0"), 100) == ("key", 100)
    for number in range(1, 10):
        await exhaust(GatewayKey(acme, f"k{number}"), 100)
    assert await exhaust(GatewayKey(acme, "k10"), 0) == ("tenant", 1000)
    for other in range(2, 11):
        tenant = SimpleNamespace(no=TenantNo(other + 100), id=f"t{other}", limits=Limits(), suspended=None)
        for number in range(10):
            await exhaust(GatewayKey(tenant, f"{other}-{number}"), 100)
    late = SimpleNamespace(no=TenantNo(999), id="late", limits=Limits(), suspended=None)
    assert await exhaust(GatewayKey(late, "late"), 0) == ("global", 10_000)
    # What was refused is in the books of whom it was refused to.
    assert gate.totals.rejected(acme.no, None, None) == {"quota": 11}


async def test_default_quotas_of_events_are_twenty_times_those_of_requests(gate, acme):
    assert await broken(gate, GatewayKey(acme, "k"), 2_000) is None
    assert await broken(gate, GatewayKey(acme, "k"), 1) == ("key-events", 2_000)
    for number in range(9):
        assert await broken(gate, GatewayKey(acme, f"k{number}"), 2_000) is None
    assert await broken(gate, GatewayKey(acme, "last"), 1) == ("tenant-events", 20_000)
    assert gate.totals.rejected(acme.no, None, None) == {"quota": 2}


async def test_a_tenants_own_limits_come_first_and_zero_is_none(gate, registry):
    own = await registry.tenants.create("own", "Own", limits=Limits(key_per_second=3, tenant_per_second=0))
    key = GatewayKey(own, "k")
    assert [await broken(gate, key) for _ in range(4)] == [None, None, None, ("key", 3)]
    assert await broken(gate, key, 60) is None
    assert await broken(gate, key, 1) == ("key-events", 60)
    changed = await registry.tenants.change("own", limits=Limits(0, 0, 5, 0))
    key = GatewayKey(changed, "k")
    assert {await broken(gate, key) for _ in range(5000)} == {None}
    assert await broken(gate, key, 6) == ("key-events", 5)


async def test_a_closed_gate_takes_nothing(gate, gateway, acme):
    gate.closed = "the disk is nearly full"
    with pytest.raises(SliceError) as refusal:
        await gate.admit_request(gateway)
    assert (refusal.value.code, refusal.value.detail) == (Code.CAPACITY, "the disk is nearly full")
    assert refusal.value.retry_after_s
    assert gate.totals.rejected(acme.no, None, None) == {"capacity": 1}
    gate.closed = None
    await gate.admit_request(gateway)


# ------------------------------------------------------------------------------------------------ queue and totals
async def test_messages_are_numbered_and_carry_running_totals(gate, gateway, queue, beta, clock):
    await accept(gate, gateway, "a", "b")
    await accept(gate, GatewayKey(beta, "k"), "a")
    await accept(gate, gateway, "a")
    clock.advance(MINUTE_US / 1e6)
    await accept(gate, gateway, "a", "b")
    assert [each.sequence for each in queue.kept] == [1, 2, 3, 4]
    assert {each.incarnation for each in queue.kept} == {gate.totals.incarnation}
    assert [each.batches[0].total for each in queue.kept] == [2, 1, 3, 5]
    assert [each.batches[0].minute_total for each in queue.kept] == [2, 1, 3, 2]
    assert gate.totals.accepted(gateway.tenant.no) == 5


async def test_a_full_queue_refuses_and_leaves_no_gap(gate, gateway, queue, acme):
    await accept(gate, gateway, "a")
    queue.refusal = QueueFullError()
    with pytest.raises(SliceError) as refusal:
        await accept(gate, gateway, "a", "a")
    assert (refusal.value.code, refusal.value.retry_after_s) == (Code.CAPACITY, 1)
    assert gate.totals.accepted(acme.no) == 1
    assert gate.totals.rejected(acme.no, None, None) == {"capacity": 2}
    queue.refusal = None
    await accept(gate, gateway, "a")
    assert [(each.sequence, each.batches[0].total) for each in queue.kept] == [(1, 1), (2, 2)]


async def test_for_a_moment_after_a_full_queue_its_tenant_is_refused_at_the_door(gate, gateway, queue, beta, clock):
    """Before quotas are asked, bodies read and events decoded; nobody else is."""
    queue.refusal = QueueFullError()
    with pytest.raises(SliceError):
        await accept(gate, gateway, "a")
    queue.refusal = None
    with pytest.raises(SliceError) as refusal:
        await gate.admit_request(gateway)
    assert (refusal.value.code, refusal.value.retry_after_s) == (Code.CAPACITY, 1)
    assert gate.totals.rejected(gateway.tenant.no, None, None) == {"capacity": 2}
    await gate.admit_request(GatewayKey(beta, "k"))
    clock.advance(0.1)
    await gate.admit_request(gateway)


async def test_an_unknown_outcome_is_not_taken_back(gate, gateway, queue, acme):
    queue.refusal = UnavailableError("lost")
    with pytest.raises(SliceError) as refusal:
        await accept(gate, gateway, "a")
    assert (refusal.value.code, bool(refusal.value.retry_after_s)) == (Code.UNAVAILABLE, True)
    # The queue may deliver it yet: it counts as accepted until the store says otherwise.
    assert gate.totals.accepted(acme.no) == 1
    assert gate.totals.rejected(acme.no, None, None) == {}


async def test_nothing_acceptable_makes_no_message(gate, gateway, queue, acme):
    receipt = await accept(gate, gateway, "a", "a", unit="x" * 99)
    assert (receipt.accepted, queue.kept) == (0, [])
    assert gate.totals.rejected(acme.no, None, None) == {"invalid": 2}


def test_rejected_counts_are_handed_over_once_and_can_be_given_back():
    totals = Totals()
    totals.reject(ACME, 0, "invalid", 2)
    totals.reject(ACME, MINUTE_US, "quota")
    totals.reject(BETA, 0, "invalid")
    assert totals.rejected(ACME, None, None) == {"invalid": 2, "quota": 1}
    assert totals.rejected(ACME, MINUTE_US, None) == {"quota": 1}
    assert totals.rejected(ACME, None, MINUTE_US) == {"invalid": 2}
    taken = totals.take_rejected()
    assert totals.rejected(ACME, None, None) == {}
    totals.reject(ACME, 0, "invalid")
    totals.restore_rejected(taken)
    assert totals.rejected(ACME, None, None) == {"invalid": 3, "quota": 1}


def test_a_minute_that_comes_back_counts_on():
    """Times of receipt are drawn before the body is read, so that requests may cross a minute's edge out of order."""
    totals = Totals()

    def counted(us, count):
        batch = EventBatch(ACME, us, keys=[bytes(16)] * count)
        totals.message(batch, wants_outcome=False)
        return batch.minute_total

    assert [counted(1, 2), counted(MINUTE_US + 1, 1), counted(MINUTE_US - 1, 3), counted(MINUTE_US + 2, 1)] == [
        2,
        1,
        5,
        2,
    ]


# ----------------------------------------------------------------------------------------------------- capacity
def takes(capacity, tenant, size):
    """Hold until refused; how many times, and the holds."""
    held = []
    with pytest.raises(SliceError) as refusal:
        while True:
            held.append(capacity.hold(tenant, size))
    assert (refusal.value.code, bool(refusal.value.retry_after_s)) == (Code.CAPACITY, True)
    return held


def release(held):
    for each in held:
        with each:
            pass


def test_one_tenant_leaves_half_for_the_others():
    capacity = Capacity(1000)
    acme = takes(capacity, ACME, 10)
    assert len(acme) == 50
    beta = takes(capacity, BETA, 10)
    assert len(beta) == 25
    assert len(takes(capacity, GAMMA, 10)) == 12
    release(acme)
    assert len(takes(capacity, BETA, 10)) > 0


def test_greedy_tenants_come_to_equal_shares():
    capacity = Capacity(1000)
    held = {ACME: takes(capacity, ACME, 10), BETA: []}
    for _ in range(200):
        # Everybody's work gets done and everybody asks for more at once.
        for tenant in held:
            release(held[tenant][:5])
            held[tenant] = held[tenant][5:]
        for _ in range(10):
            for tenant, holds in held.items():
                with suppress(SliceError):
                    holds.append(capacity.hold(tenant, 10))
    shares = {tenant: 10 * len(holds) for tenant, holds in held.items()}
    assert all(300 <= share <= 360 for share in shares.values()), shares


def test_many_small_tenants_do_not_starve_a_large_request():
    capacity = Capacity(1000)
    small = [capacity.hold(TenantNo(number), 1) for number in range(10, 110)]
    with capacity.hold(ACME, 400):
        pass
    release(small)


def test_everything_is_given_back_whatever_happens():
    capacity = Capacity(100)
    for size in (0, 1, 50):
        with pytest.raises(ZeroDivisionError), capacity.hold(ACME, size):
            raise ZeroDivisionError
    first, second = capacity.hold(ACME, 0), capacity.hold(ACME, 0)
    release([first, second])
    with capacity.hold(ACME, 10) as held:
        held.grow(5)
        held.grow(50)
        with pytest.raises(SliceError):
            held.grow(51)
        with pytest.raises(SliceError):
            capacity.hold(ACME, 1)
    assert len(takes(capacity, ACME, 50)) == 1


async def test_who_waits_for_an_outcome_learns_it(registry, clock, acme):
    """The settlement reaches the sender whose message it is, and nobody is left waiting in the bus."""
    bus = LocalBus()

    class Deciding(Queue):
        async def put(self, message):
            await super().put(message)
            await asyncio.sleep(0)
            bus.publish(message, SimpleNamespace(outcomes=(), number=message.sequence))

    gate = Gate(Deciding(), registry.devices, TokenBuckets(clock.monotonic), bus, clock, GateSettings())
    key = GatewayKey(acme, "k")
    receipts = await asyncio.gather(
        *(gate.accept(key, events(f"d{n}"), clock.now_us(), wait_s=20 if n % 2 == 0 else None) for n in range(10))
    )
    assert [receipt.settlement is not None for receipt in receipts] == [n % 2 == 0 for n in range(10)]
    for receipt in receipts[::2]:
        assert receipt.settlement.number == receipt.batch.total
    assert bus._awaited == {}


async def test_an_outcome_that_comes_after_the_hand_over_is_waited_for_and_no_longer_than_asked(registry, clock, acme):
    bus = LocalBus()
    queue = Queue()
    gate = Gate(queue, registry.devices, TokenBuckets(clock.monotonic), bus, clock, GateSettings())
    key = GatewayKey(acme, "k")
    asked = asyncio.ensure_future(gate.accept(key, events("d1"), clock.now_us(), wait_s=20))
    async with asyncio.timeout(20):
        while not queue.kept:
            await asyncio.sleep(0)
        assert not asked.done()
        bus.publish(queue.kept[0], settlement := SimpleNamespace(outcomes=()))
        assert (await asked).settlement is settlement
        receipt = await gate.accept(key, events("d1"), clock.now_us(), wait_s=0.01)
    assert (receipt.accepted, receipt.settlement) == (1, None)
    assert bus._awaited == {}
