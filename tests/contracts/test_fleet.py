"""What `ports.fleet.FleetTelemetry` promises, on every engine, against plain Python over the same events."""

import random
import uuid

import pytest
from tests.contracts.test_telemetry import BASE_US, Sender, Sent

from telemetry_slice.engines.sql.fleet import SqlFleetTelemetry
from telemetry_slice.model.events import Kind
from telemetry_slice.model.fleet import Heard, Sparkline
from telemetry_slice.model.series import TimeRange
from telemetry_slice.model.times import MINUTE_US

NUMBER, TEXT = int(Kind.NUMBER), int(Kind.STRING)
BUCKETS = 12
SPAN = TimeRange(BASE_US - BUCKETS * MINUTE_US, BASE_US)


@pytest.fixture
def sender(store_harness):
    return Sender(store_harness)


@pytest.fixture
def tenant(store_harness):
    return store_harness.new_tenant()


@pytest.fixture
def fleet(store_harness):
    return SqlFleetTelemetry(store_harness.readers)


def sent(device, recorded_us, *measurements):
    return Sent(str(uuid.uuid4()), device, recorded_us, measurements)


def test_when_each_device_was_heard_is_by_type_and_of_its_own_tenant(store_harness, sender, tenant, fleet):
    other = store_harness.new_tenant()
    late, now = BASE_US - 10 * MINUTE_US, BASE_US
    warm, dry, state = ("temperature", "C", NUMBER, 1.0), ("humidity", "%", NUMBER, 2.0), ("state", None, TEXT, "idle")
    sender.send(tenant, [sent(1, late, warm, dry), sent(2, late, state)], received_us=late)
    # What arrives later was recorded earlier: heard is by arrival.
    sender.send(tenant, [sent(1, late - 5 * MINUTE_US, warm)], received_us=now)
    sender.send(tenant, [sent(1, late, ("temperature", "F", NUMBER, 3.0))], received_us=late)
    sender.send(other, [sent(1, now, warm)], received_us=now)
    heard = store_harness.run(lambda: fleet.heard(tenant))
    assert sorted(heard, key=lambda each: (each.device_no, each.type)) == [
        Heard(1, "humidity", late),
        Heard(1, "temperature", now),
        Heard(2, "state", late),
    ]
    assert [each.device_no for each in store_harness.run(lambda: fleet.heard(other))] == [1]
    nobody = store_harness.new_tenant()
    assert store_harness.run(lambda: fleet.heard(nobody)) == []


def test_sparklines_keep_every_spike_and_every_gap(store_harness, sender, tenant, fleet):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rnd = random.Random(seed)
    values = {}
    events = []
    for device in (1, 2, 3):
        for _ in range(60):
            at_us = rnd.randrange(SPAN.from_us - 2 * MINUTE_US, SPAN.to_us + 2 * MINUTE_US)
            if device == 2 and at_us % MINUTE_US < MINUTE_US // 2:
                continue
            number = rnd.choice([rnd.uniform(-1e3, 1e3), 1e308, -1e308, 0.0])
            values.setdefault((device, (at_us - SPAN.from_us) // MINUTE_US), []).append(number)
            events.append(
                sent(device, at_us, ("b", "C", NUMBER, number), ("a", None, TEXT, "text"), ("c", "", NUMBER, 5))
            )
    sender.send(tenant, events)
    sender.send(tenant, [sent(1, SPAN.from_us, ("z", None, NUMBER, 7.0))])
    sender.send(store_harness.new_tenant(), [sent(9, SPAN.from_us, ("b", "C", NUMBER, 1.0))])

    def line(device):
        own = [values.get((device, bucket)) for bucket in range(BUCKETS)]
        least = [None if numbers is None else min(numbers) for numbers in own]
        most = [None if numbers is None else max(numbers) for numbers in own]
        return Sparkline(device, "b", "C", least, most)

    def ask(*devices, types=None):
        return store_harness.run(lambda: fleet.sparklines(tenant, devices, SPAN, BUCKETS, types=types))

    assert list(ask(2, 1, 4, 9)) == [line(1), line(2)]
    assert [each.type for each in ask(1, 2, types=["z", "a"])] == ["z"]
    [only] = ask(1, types=["z"])
    assert (only.unit, only.min, only.max) == (None, [7.0] + [None] * 11, [7.0] + [None] * 11)
    assert list(ask()) == []


def test_a_device_that_was_silent_lately_has_an_empty_sparkline(store_harness, sender, tenant, fleet):
    sender.send(tenant, [sent(1, SPAN.from_us - MINUTE_US, ("b", None, NUMBER, 1.0))])
    [line] = store_harness.run(lambda: fleet.sparklines(tenant, [1], SPAN, BUCKETS))
    assert line == Sparkline(1, "b", None, [None] * BUCKETS, [None] * BUCKETS)
