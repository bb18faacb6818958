"""What `ports.reads.Telemetry` promises, on every engine, against plain Python over the same events."""

from __future__ import annotations

import math
import os
import random
import uuid
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo, event_id_of, event_key, meaning_of
from telemetry_slice.model.series import LATE_READING_US, Position, SeriesType, TimeRange

BASE_US = 1_780_000_000_000_000
EVERYTHING = TimeRange(0, BASE_US * 2)
PROPERTY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Sent:
    """An event as a device means it; measurements are (type, unit, kind, value)."""

    event_id: str
    device: int
    recorded_us: int
    measurements: tuple


class Sender:
    """Appends events through the real store."""

    def __init__(self, harness) -> None:
        self.harness = harness
        self.incarnation = os.urandom(16)
        self.sequence = 0
        self.total = 0

    def send(self, tenant: TenantNo, events, received_us: int = BASE_US) -> int:
        """Store one batch; the stored_us of its transaction."""
        batch = EventBatch(tenant, received_us)
        for event in events:
            key, text = event_key(event.event_id)
            device_id = f"dev-{event.device}"
            batch.keys.append(key)
            batch.texts.append(text)
            batch.devices.append(event.device)
            batch.device_ids.append(device_id)
            batch.recorded_us.append(event.recorded_us)
            batch.meanings.append(meaning_of(device_id, event.recorded_us, event.measurements))
            batch.measurements.append(event.measurements)
        self.sequence += 1
        self.total += len(events)
        batch.total = batch.minute_total = self.total
        message = Message(self.incarnation, self.sequence, (batch,))
        [settlement] = self.harness.run(lambda: self.harness.store.append([message]))
        assert set(settlement.outcomes[0]) <= {0}, "every event of these tests is new"
        return settlement.stored_us

    def ask(self, method: str, *args, **options):
        return self.harness.run(lambda: getattr(self.harness.telemetry, method)(*args, **options))


@pytest.fixture
def sender(store_harness):
    return Sender(store_harness)


@pytest.fixture
def tenant(store_harness):
    return store_harness.new_tenant()


def number(type_, value, unit="C"):
    return (type_, unit, Kind.NUMBER, float(value))


def model_rows(events, device, types=None):
    """Every measurement of a device as (recorded_us, key, type, unit, kind, value), in order."""
    rows = [
        (event.recorded_us, event_key(event.event_id)[0], type_, unit, kind, value)
        for event in events
        if event.device == device
        for type_, unit, kind, value in event.measurements
        if types is None or type_ in types
    ]
    return sorted(rows, key=lambda row: row[:3])


def seen(readings):
    return [(r.recorded_us, r.key, r.type, r.unit, r.value) for r in readings]


def plain(rows):
    return [(*row[:4], bool(row[5]) if row[4] == Kind.BOOLEAN else row[5]) for row in rows]


def all_pages(ask, tenant, device, span, limit, *, types=None, descending=False, between=lambda: None):
    found, after = [], None
    while True:
        page = ask("readings", tenant, device, span, types=types, after=after, descending=descending, limit=limit)
        found += page
        if len(page) < limit:
            return found
        after = page[-1].position
        between()


values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda v: v + 0.0),
    st.floats(-50, 50).map(lambda v: round(v, 2) + 0.0),
)
measurement_values = {
    Kind.NUMBER: values,
    Kind.BOOLEAN: st.sampled_from([0.0, 1.0]),
    # The gate refuses U+0000, which PostgreSQL cannot keep in a text.
    Kind.STRING: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
}


@st.composite
def measurements(draw):
    found = {}
    for type_ in draw(st.lists(st.sampled_from(["a", "b", "temperature", "é"]), min_size=1, max_size=4, unique=True)):
        kind = draw(st.sampled_from([Kind.NUMBER, Kind.NUMBER, Kind.NUMBER, Kind.BOOLEAN, Kind.STRING]))
        found[type_] = (type_, draw(st.sampled_from([None, "C", ""])), kind, draw(measurement_values[kind]))
    return tuple(found.values())


@st.composite
def histories(draw):
    """Events of two devices, many at the same instants, in order of arrival, some with ids that are no UUIDs."""
    count = draw(st.integers(1, 25))
    events = []
    for index in range(count):
        event_id = str(uuid.UUID(int=draw(st.integers(0, 2**128 - 1)))) if draw(st.booleans()) else f"reading {index}"
        at = draw(st.one_of(st.integers(0, 5), st.integers(0, 600_000_000), st.integers(0, 10**14)))
        events.append(Sent(event_id, draw(st.integers(1, 2)), BASE_US + at, draw(measurements())))
    unique = {event.event_id: event for event in events}
    return list(unique.values())


@given(history=histories(), limit=st.integers(1, 7), descending=st.booleans(), data=st.data())
@PROPERTY
def test_pages_together_are_a_full_scan(store_harness, history, limit, descending, data):
    sender, tenant = Sender(store_harness), store_harness.new_tenant()
    cut = data.draw(st.integers(0, len(history)))
    for part in (history[:cut], history[cut:]):
        if part:
            sender.send(tenant, part)
    types = data.draw(st.one_of(st.none(), st.lists(st.sampled_from(["a", "b", "é", "unknown"]), max_size=2)))
    rows = plain(model_rows(history, 1, types))
    found = all_pages(sender.ask, tenant, 1, EVERYTHING, limit, types=types, descending=descending)
    assert seen(found) == (rows[::-1] if descending else rows)
    texts = {event_key(event.event_id)[0]: event_id_of(*event_key(event.event_id)) for event in history}
    assert all(r.event_id == texts[r.key] for r in found)


@given(history=histories(), limit=st.integers(1, 5), descending=st.booleans())
@PROPERTY
def test_pages_of_whole_events_are_a_full_scan(store_harness, history, limit, descending):
    sender, tenant = Sender(store_harness), store_harness.new_tenant()
    sender.send(tenant, history)
    found, after = [], None
    while True:
        page = sender.ask("whole_events", tenant, 2, EVERYTHING, after=after, descending=descending, limit=limit)
        found += page
        if len(page) < limit:
            break
        after = Position(page[-1].recorded_us, page[-1].key, "")
    wanted = sorted(
        (event.recorded_us, event_key(event.event_id)[0], tuple(sorted(event.measurements)))
        for event in history
        if event.device == 2
    )
    assert [(e.recorded_us, e.key, e.measurements) for e in found] == (wanted[::-1] if descending else wanted)


@given(
    history=histories(), width_us=st.integers(1, 10**13), start=st.integers(-10, 10**6), length=st.integers(1, 10**14)
)
@PROPERTY
def test_buckets_are_what_counting_by_hand_gives(store_harness, history, width_us, start, length):
    sender, tenant = Sender(store_harness), store_harness.new_tenant()
    received_us = BASE_US + start + LATE_READING_US
    sender.send(tenant, history, received_us=received_us)
    span = TimeRange(BASE_US + start, BASE_US + start + length)
    for series in sender.ask("types", tenant, 1):
        rows = [
            row
            for row in model_rows(history, 1)
            if span.from_us <= row[0] < span.to_us and SeriesType(row[2], row[3], row[4]) == series
        ]
        groups = defaultdict(list)
        for row in rows:
            groups[(row[0] - span.from_us) // width_us].append(row)
        buckets = sender.ask("buckets", tenant, 1, series, span, width_us)
        assert [b.start_us for b in buckets] == [span.from_us + g * width_us for g in sorted(groups)]
        for bucket, (_, group) in zip(buckets, sorted(groups.items()), strict=True):
            numbers = [row[5] for row in group]
            assert bucket.count == len(group)
            assert bucket.last == plain(group)[-1][4]
            assert bucket.late == sum(received_us - row[0] > LATE_READING_US for row in group)
            if series.kind == Kind.NUMBER:
                assert (bucket.min, bucket.max) == (min(numbers), max(numbers))
                # The exact mean, rounded once: not close to it, but it.
                assert bucket.avg == float(sum(map(Fraction, numbers)) / len(numbers))
            else:
                assert bucket.min is bucket.avg is bucket.max is None


@given(history=histories(), seed=st.integers(0, 2**32))
@PROPERTY
def test_the_order_of_arrival_changes_no_answer(store_harness, history, seed):
    sender = Sender(store_harness)
    answers = []
    for shuffled in (False, True):
        tenant = store_harness.new_tenant()
        events = list(history)
        if shuffled:
            random.Random(seed).shuffle(events)
        for event in events[:5]:
            sender.send(tenant, [event])
        if events[5:]:
            sender.send(tenant, events[5:])
        types = sender.ask("types", tenant, 1)
        answers.append(
            (
                types,
                sender.ask("insights", tenant, 1, EVERYTHING),
                [sender.ask("buckets", tenant, 1, series, EVERYTHING, 10**15) for series in types],
                sender.ask("last_values", tenant, [1, 2]),
                seen(all_pages(sender.ask, tenant, 1, EVERYTHING, 100)),
            )
        )
    assert answers[0] == answers[1]


@given(history=histories())
@PROPERTY
def test_insights_and_last_values_are_of_the_newest_by_the_order_of_readings(store_harness, history):
    sender, tenant = Sender(store_harness), store_harness.new_tenant()
    sender.send(tenant, history, received_us=BASE_US + 77)
    groups, series = defaultdict(list), defaultdict(list)
    for row in model_rows(history, 1):
        groups[row[2], row[3]].append(row)
        series[SeriesType(row[2], row[3], row[4])].append(row)
    insights = sender.ask("insights", tenant, 1, EVERYTHING)
    assert {(i.type, i.unit) for i in insights} == set(groups)
    assert len(insights) == len(groups)
    for insight in insights:
        group = groups[insight.type, insight.unit]
        assert (insight.count, insight.latest) == (len(group), plain(group)[-1][4])
        assert insight.last_recorded_us == group[-1][0]
        numbers = [row[5] for row in group if row[4] == Kind.NUMBER]
        exact = float(sum(map(Fraction, numbers)) / len(numbers)) if numbers else None
        assert (insight.min, insight.avg, insight.max) == (
            min(numbers, default=None),
            exact,
            max(numbers, default=None),
        )
    last = sender.ask("last_values", tenant, [1, 99]).get(1, [])
    assert 99 not in sender.ask("last_values", tenant, [99])
    assert [(v.type, v.unit, v.value, v.recorded_us) for v in last] == [
        (s.type, s.unit, plain(rows)[-1][4], rows[-1][0])
        for s, rows in sorted(
            series.items(), key=lambda item: (item[0].type, item[0].unit is not None, item[0].unit or "", item[0].kind)
        )
    ]
    assert all(v.received_us == BASE_US + 77 for v in last)


def test_rows_stored_before_the_first_page_appear_once_and_later_ones_at_most_once(sender, tenant, seed):
    chance = random.Random(seed)
    counter = iter(range(10**6))

    def some(count):
        return [
            Sent(
                str(uuid.UUID(int=chance.getrandbits(128))),
                1,
                BASE_US + chance.randrange(400),
                tuple(number(type_, next(counter)) for type_ in chance.sample(["a", "b", "c"], chance.randint(1, 3))),
            )
            for _ in range(count)
        ]

    for descending in (False, True):
        before = some(150)
        sender.send(tenant, before)
        before = {place[:3] for place in seen(all_pages(sender.ask, tenant, 1, EVERYTHING, 1000))}
        found = all_pages(
            sender.ask, tenant, 1, EVERYTHING, 20, descending=descending,
            between=lambda: sender.send(tenant, some(5)),
        )  # fmt: skip
        places = [place[:3] for place in seen(found)]
        assert len(places) == len(set(places))
        assert before <= set(places)
        assert places == sorted(places, reverse=descending)


def test_as_of_hides_what_was_stored_later(sender, tenant):
    first = [Sent("first", 1, BASE_US + 5, (number("a", 1), number("b", 7)))]
    second = [Sent("second", 1, BASE_US + 3, (number("a", 3),))]
    known_us = sender.send(tenant, first)
    later_us = sender.send(tenant, second)
    assert later_us > known_us
    then, now = TimeRange(0, BASE_US * 2, known_us), TimeRange(0, BASE_US * 2, later_us)
    assert [r.value for r in all_pages(sender.ask, tenant, 1, then, 10)] == [1, 7]
    assert [r.value for r in all_pages(sender.ask, tenant, 1, now, 10)] == [3, 1, 7]
    series = SeriesType("a", "C", Kind.NUMBER)
    assert [b.avg for b in sender.ask("buckets", tenant, 1, series, then, 10**16)] == [1]
    assert [b.avg for b in sender.ask("buckets", tenant, 1, series, now, 10**16)] == [2]
    assert [i.count for i in sender.ask("insights", tenant, 1, then)] == [1, 1]
    assert len(sender.ask("whole_events", tenant, 1, then, after=None, descending=False, limit=5)) == 1


def test_a_range_includes_its_start_and_not_its_end(sender, tenant):
    sender.send(tenant, [Sent(str(at), 1, BASE_US + at, (number("a", at),)) for at in range(5)])
    span = TimeRange(BASE_US + 1, BASE_US + 3)
    assert [r.value for r in all_pages(sender.ask, tenant, 1, span, 10)] == [1, 2]
    assert [r.value for r in all_pages(sender.ask, tenant, 1, span, 10, descending=True)] == [2, 1]


def test_another_tenant_sees_nothing(sender, store_harness, tenant):
    sender.send(tenant, [Sent("mine", 1, BASE_US, (number("a", 1),))])
    other = store_harness.new_tenant()
    sender.send(other, [Sent("theirs", 2, BASE_US, (number("a", 1),))])
    assert sender.ask("readings", other, 1, EVERYTHING, types=None, after=None, descending=False, limit=9) == []
    assert sender.ask("whole_events", other, 1, EVERYTHING, after=None, descending=False, limit=9) == []
    assert sender.ask("types", other, 1) == []
    assert sender.ask("insights", other, 1, EVERYTHING) == []
    assert sender.ask("buckets", other, 1, SeriesType("a", "C", 0), EVERYTHING, 10**16) == []
    assert sender.ask("last_values", other, [1]) == {}


@pytest.mark.parametrize(
    "value",
    [0.0, 1.0, -1.0, 0.1, 1 / 3, 1e308, -1e308, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 2.0**53 + 2,
     2.0**62, 2.0**63, -(2.0**63), 1e22, 123456789.12345679],
)  # fmt: skip
def test_numbers_keep_every_bit(sender, store_harness, value):
    tenant = store_harness.new_tenant()
    sender.send(tenant, [Sent(f"{n}", 1, BASE_US + n, (number("a", value),)) for n in range(3)])
    [first, *_] = all_pages(sender.ask, tenant, 1, EVERYTHING, 10)
    assert isinstance(first.value, float)
    assert first.value.hex() == value.hex()
    [insight] = sender.ask("insights", tenant, 1, EVERYTHING)
    assert insight.min == insight.avg == insight.max == insight.latest == value
    assert math.copysign(1, insight.avg) == math.copysign(1, value)


@pytest.mark.parametrize("text", ["", "idle", 'quo"te\\', "line\nbreak", "\u2028", "\U0001f600", "NaN", "1e999"])
def test_texts_keep_every_character(sender, store_harness, text):
    tenant = store_harness.new_tenant()
    sender.send(tenant, [Sent(f"id {text}", 1, BASE_US, (("state", None, Kind.STRING, text),))])
    [reading] = all_pages(sender.ask, tenant, 1, EVERYTHING, 10)
    assert (reading.value, reading.event_id) == (text, f"id {text}")


def test_a_long_sparse_range_is_paged_whole(sender, tenant):
    days = [Sent(f"{n}", 1, BASE_US - n * 86_400_000_000, (number("a", n), number("b", n))) for n in range(0, 400, 7)]
    sender.send(tenant, days)
    for descending in (False, True):
        found = all_pages(sender.ask, tenant, 1, EVERYTHING, 9, descending=descending)
        assert len(found) == 2 * len(days)


def test_one_event_with_many_measurements_over_page_edges(sender, tenant):
    sender.send(tenant, [Sent("wide", 1, BASE_US, tuple(number(f"t{n:02}", n) for n in range(40)))])
    for descending in (False, True):
        for limit in (1, 7, 39, 40, 41):
            found = all_pages(sender.ask, tenant, 1, EVERYTHING, limit, descending=descending)
            assert [r.value for r in found] == sorted(range(40), reverse=descending)


def test_the_size_on_disk_is_told(sender):
    assert sender.ask("size_bytes") > 0
