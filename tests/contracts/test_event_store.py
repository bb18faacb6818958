"""What `ports.events.EventStore` and `DeadLetters` promise, on every engine, against a model of dictionaries."""

from __future__ import annotations

import os
import struct
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry_slice.model.errors import DataError
from telemetry_slice.model.events import (
    EventBatch,
    Kind,
    Measurement,
    Message,
    Outcome,
    Settlement,
    TenantNo,
    event_key,
    meaning_of,
)
from telemetry_slice.model.times import MINUTE_US

BASE_US = 1_790_000_000_000_000
RECEIVED_US = BASE_US + 3 * MINUTE_US


@dataclass(frozen=True)
class Sent:
    """An event as a device means it."""

    event_id: str
    device: int
    recorded_us: int
    measurements: tuple[Measurement, ...]
    doom: str | None = None


class Gate:
    """Numbers messages as a gate does."""

    def __init__(self) -> None:
        self.incarnation = os.urandom(16)
        self.sequence = 0
        self.totals: Counter[TenantNo] = Counter()

    def message(self, tenant: TenantNo, events: list[Sent], received_us: int = RECEIVED_US) -> Message:
        batch = EventBatch(tenant, received_us)
        for index, event in enumerate(events):
            key, text = event_key(event.event_id)
            device_id = f"dev-{event.device}"
            batch.keys.append(key)
            batch.texts.append(text)
            batch.devices.append(event.device)
            batch.device_ids.append(device_id)
            batch.recorded_us.append(event.recorded_us)
            batch.meanings.append(meaning_of(device_id, event.recorded_us, event.measurements))
            batch.measurements.append(event.measurements)
            if event.doom:
                batch.doomed[index] = event.doom
        self.sequence += 1
        self.totals[tenant] += len(events)
        batch.total = batch.minute_total = self.totals[tenant]
        return Message(self.incarnation, self.sequence, (batch,))


@dataclass
class Model:
    """A tenant's store as dictionaries."""

    ledger: dict[bytes, int] = field(default_factory=dict)
    rows: dict[tuple[bytes, str], tuple[Any, ...]] = field(default_factory=dict)
    letters: set[tuple[bytes, int, str]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, batch: EventBatch) -> list[tuple[int, str | None]]:
        results: list[tuple[int, str | None]] = []
        for i, (key, meaning) in enumerate(zip(batch.keys, batch.meanings, strict=True)):
            reason = batch.doomed.get(i)
            if reason is None and key in self.ledger and self.ledger[key] != meaning:
                reason = "conflict"
            if reason is not None:
                letter = (key, meaning, reason)
                outcome = Outcome.DUPLICATE if letter in self.letters else Outcome.DEAD
                self.letters.add(letter)
            elif key in self.ledger:
                outcome = Outcome.DUPLICATE
            else:
                outcome = Outcome.STORED
                self.ledger[key] = meaning
                for kind_of, unit, kind, value in batch.measurements[i]:
                    number, text = (None, value) if kind == Kind.STRING else (value, None)
                    self.rows[key, kind_of] = (
                        batch.devices[i], kind_of, unit, int(kind), batch.recorded_us[i], key, number, text,
                    )  # fmt: skip
            if outcome != Outcome.DEAD:
                reason = None
            self.counts[f"dead:{reason}" if reason else outcome.name] += 1
            results.append((int(outcome), reason))
        return results

    def stored(self) -> list[tuple[Any, ...]]:
        return sorted(self.rows.values(), key=repr)


def appended(harness: Any, messages: list[Message]) -> list[tuple[Message, Settlement]]:
    """Append as a writer does, one transaction for each placement; every message with its settlement."""

    async def work() -> list[tuple[Message, Settlement]]:
        settled = []
        for part in await harness.store.split(messages):
            settled += zip(part, await harness.store.append(part), strict=True)
        return settled

    return harness.run(work)  # type: ignore[no-any-return]


def results_of(settlement: Settlement) -> list[tuple[int, str | None]]:
    return [(outcome, settlement.reasons.get((0, i))) for i, outcome in enumerate(settlement.outcomes[0])]


def number(value: float = 20.5, kind_of: str = "temperature", unit: str | None = "C") -> tuple[Measurement, ...]:
    return ((kind_of, unit, Kind.NUMBER, value),)


def sent(event_id: str, **changes: Any) -> Sent:
    return Sent(**{"event_id": event_id, "device": 1, "recorded_us": BASE_US, "measurements": number()} | changes)


def uuid7(position: int) -> str:
    return str(uuid.UUID(bytes=struct.pack(">Q", (BASE_US // 1000 + position) << 16 | 0x7ABC) + b"\x80" + bytes(7)))


EVENTS = st.builds(
    Sent,
    event_id=st.one_of(st.integers(0, 6).map(uuid7), st.sampled_from(["a", "A", "b", "é", "e\u0301", "x" * 36])),
    device=st.integers(1, 3),
    recorded_us=st.integers(0, 3).map(lambda n: BASE_US + n * 1000),
    measurements=st.one_of(
        st.sampled_from(
            [number(1.0), number(-0.0), number(0.0), number(1.0, unit=None), number(5e-324), number(1e308)]
        ),
        st.sampled_from(
            [
                (("pressure", None, Kind.NUMBER, 1.02), ("running", None, Kind.BOOLEAN, 1.0)),
                (("state", None, Kind.STRING, "idle"), ("temperature", "C", Kind.NUMBER, 3.0)),
            ]
        ),
    ),
    doom=st.one_of(st.none(), st.none(), st.none(), st.just("clock")),
)
STEPS = st.lists(
    st.one_of(
        st.lists(EVENTS, min_size=1, max_size=8),
        st.just("redeliver"),
        st.just("crash"),
        st.just("many"),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_order_and_duplication_gives_what_the_dictionary_gives(store_harness: Any, steps: list[Any]) -> None:
    """Batches, duplicates in and across them, redeliveries, crashes: the store equals the model, the books too."""
    tenant, other = store_harness.new_tenant(), store_harness.new_tenant()
    gate, models = Gate(), {tenant: Model(), other: Model()}
    messages: list[Message] = []
    crashes = 0

    def append(batch_of_messages: list[Message]) -> None:
        for message, settlement in appended(store_harness, batch_of_messages):
            if message in messages:
                assert settlement.redelivered
                continue
            assert results_of(settlement) == models[message.batches[0].tenant].take(message.batches[0])
            messages.append(message)

    for step in steps:
        if step == "redeliver":
            if messages:
                append([messages[0], messages[-1]] if len(messages) > 1 else [messages[0]])
        elif step == "crash":
            # Two a case are enough: each costs the start of a process.
            if crashes < 2:
                store_harness.crash()
                crashes += 1
        elif step == "many":
            # The same ids for two tenants, in one transaction: each tenant's own.
            events = [sent(uuid7(1)), sent("a", recorded_us=BASE_US + 1)]
            append([gate.message(tenant, events), gate.message(other, events)])
        else:
            append([gate.message(tenant, step)])
    for owner, model in models.items():
        assert store_harness.stored(owner) == model.stored()
        books = store_harness.run(lambda owner=owner: store_harness.store.books(owner))
        assert books.stored == model.counts["STORED"]
        assert books.duplicate == model.counts["DUPLICATE"]
        assert books.dead == {
            name.removeprefix("dead:"): n for name, n in model.counts.items() if name.startswith("dead:")
        }
        assert books.announced == gate.totals[owner] == sum(model.counts.values())


@settings(max_examples=25, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENTS, min_size=2, max_size=12), data=st.data())
def test_events_without_conflicts_give_the_same_store_in_any_order(
    store_harness: Any, events: list[Sent], data: st.DataObject
) -> None:
    """Any order, any cut into batches, any repetition: the same rows."""
    by_id = {event_key(event.event_id)[0]: event for event in events if event.doom is None}
    plain = list(by_id.values())
    first, second = store_harness.new_tenant(), store_harness.new_tenant()
    shuffled = data.draw(st.permutations(plain + plain[: len(plain) // 2]))
    gate = Gate()
    if plain:
        store_harness.run(lambda: store_harness.store.append([gate.message(first, plain)]))
        store_harness.run(lambda: store_harness.store.append([gate.message(second, [event]) for event in shuffled]))
    assert store_harness.stored(first) == store_harness.stored(second)


def test_a_trial_changes_nothing(store_harness: Any) -> None:
    """With commit=False the settlement is told, and the store is as before."""
    tenant, gate = store_harness.new_tenant(), Gate()
    message = gate.message(tenant, [sent("a", device=7, measurements=number(kind_of="fresh"))])
    trial = store_harness.run(lambda: store_harness.store.append([message], commit=False))
    assert results_of(trial[0]) == [(Outcome.STORED, None)]
    assert store_harness.stored(tenant) == []
    real = store_harness.run(lambda: store_harness.store.append([message]))
    assert not real[0].redelivered
    assert results_of(real[0]) == [(Outcome.STORED, None)]
    assert len(store_harness.stored(tenant)) == 1


def test_a_lost_message_is_a_gap_and_a_late_one_closes_it(store_harness: Any) -> None:
    """Announced totals run ahead of the settled counts by exactly the message that never came."""
    tenant, gate = store_harness.new_tenant(), Gate()
    first, lost, last = (gate.message(tenant, [sent(f"{name}{i}") for i in range(3)]) for name in "abc")
    store_harness.run(lambda: store_harness.store.append([first, last]))
    books = store_harness.run(lambda: store_harness.store.books(tenant))
    assert books.announced - books.stored == 3
    assert books.claimed[gate.incarnation] == 1
    assert books.ahead[gate.incarnation] == {3}
    store_harness.run(lambda: store_harness.store.append([lost]))
    books = store_harness.run(lambda: store_harness.store.books(tenant))
    assert books.announced == books.stored == 9
    assert books.claimed[gate.incarnation] == 3


def test_the_quota_of_series_kills_the_event_and_frees_its_id(store_harness: Any) -> None:
    """Above the quota an event with a new series is a dead letter, its id unclaimed; known series go on."""
    tenant, gate = store_harness.new_tenant(), Gate()
    limit = store_harness.SERIES_LIMIT
    full = [sent(f"s{i}", measurements=number(kind_of=f"t{i}")) for i in range(limit)]
    store_harness.run(lambda: store_harness.store.append([gate.message(tenant, full)]))
    mixed = (("t0", "C", Kind.NUMBER, 1.0), ("too-many", None, Kind.NUMBER, 1.0))
    events = [
        sent("n1", measurements=number(kind_of="new")),
        sent("n2", measurements=mixed),
        sent("n3", measurements=number(kind_of="t1")),
    ]
    settled = store_harness.run(lambda: store_harness.store.append([gate.message(tenant, events)]))
    assert results_of(settled[0]) == [
        (Outcome.DEAD, "series_limit"), (Outcome.DEAD, "series_limit"), (Outcome.STORED, None),
    ]  # fmt: skip
    again = store_harness.run(
        lambda: store_harness.store.append([gate.message(tenant, [sent("n1", measurements=number(kind_of="t2"))])])
    )
    assert results_of(again[0]) == [(Outcome.STORED, None)]


def test_an_event_that_cannot_be_kept_is_a_data_error_and_changes_nothing(store_harness: Any) -> None:
    """A value beyond the store's integers raises DataError; its neighbours can be sent again."""
    tenant, gate = store_harness.new_tenant(), Gate()
    bad = gate.message(tenant, [sent("good"), sent("bad")])
    bad.batches[0].texts[1] = "\ud800"
    with pytest.raises((DataError, UnicodeError)):
        store_harness.run(lambda: store_harness.store.append([bad]))
    assert store_harness.stored(tenant) == []


def letter_of(harness: Any, tenant: TenantNo) -> Any:
    return harness.run(lambda: harness.store.list(tenant, reason=None, after=None, limit=10))[0]


def test_a_replayed_letter_moves_in_the_books_exactly_once(store_harness: Any) -> None:
    """dead − 1, stored + 1 in the minute it was received; a second replay finds nothing."""
    tenant, gate = store_harness.new_tenant(), Gate()
    store_harness.run(lambda: store_harness.store.append([gate.message(tenant, [sent("c", doom="clock"), sent("d")])]))
    letter = letter_of(store_harness, tenant)
    assert (letter.reason, letter.event_id, letter.device_id, letter.state) == ("clock", "c", "dev-1", "dead")
    assert letter.body["eventId"] == "c"
    mended = Gate().message(tenant, [sent("c", recorded_us=BASE_US + 5)]).batches[0]
    settlement = store_harness.run(lambda: store_harness.store.replay(tenant, letter.id, mended))
    assert results_of(settlement) == [(Outcome.STORED, None)]
    assert store_harness.run(lambda: store_harness.store.replay(tenant, letter.id, mended)) is None
    for span in (
        (None, None),
        (RECEIVED_US - RECEIVED_US % MINUTE_US, RECEIVED_US - RECEIVED_US % MINUTE_US + MINUTE_US),
    ):
        books = store_harness.run(lambda span=span: store_harness.store.books(tenant, *span))
        assert (books.stored, books.duplicate, books.dead) == (2, 0, {})
        assert books.announced == 2


def test_a_letter_that_dies_again_stays_with_its_new_reason(store_harness: Any) -> None:
    """A clock letter whose id is taken by another meaning becomes a conflict, and stays one letter in the books."""
    tenant, gate = store_harness.new_tenant(), Gate()
    store_harness.run(lambda: store_harness.store.append([gate.message(tenant, [sent("c", doom="clock"), sent("c")])]))
    letter = letter_of(store_harness, tenant)
    changed = Gate().message(tenant, [sent("c", measurements=number(99.0))]).batches[0]
    assert store_harness.run(lambda: store_harness.store.mend(tenant, letter.id, changed)) is not None
    settlement = store_harness.run(lambda: store_harness.store.replay(tenant, letter.id, changed))
    assert results_of(settlement) == [(Outcome.DEAD, "conflict")]
    books = store_harness.run(lambda: store_harness.store.books(tenant))
    assert books.dead == {"conflict": 1}
    assert letter_of(store_harness, tenant).reason == "conflict"


def test_a_discarded_letter_stays_dead_in_the_books(store_harness: Any) -> None:
    """Discarding closes the letter; the books keep what was."""
    tenant, gate = store_harness.new_tenant(), Gate()
    store_harness.run(lambda: store_harness.store.append([gate.message(tenant, [sent("c", doom="clock")])]))
    letter = letter_of(store_harness, tenant)
    assert store_harness.run(lambda: store_harness.store.discard(tenant, letter.id))
    assert not store_harness.run(lambda: store_harness.store.discard(tenant, letter.id))
    event = Gate().message(tenant, [sent("c")]).batches[0]
    assert store_harness.run(lambda: store_harness.store.replay(tenant, letter.id, event)) is None
    assert store_harness.run(lambda: store_harness.store.books(tenant)).dead == {"clock": 1}
    assert letter_of(store_harness, tenant).state == "discarded"


def test_letters_of_another_tenant_do_not_exist(store_harness: Any) -> None:
    """Every change and look names the tenant; a foreign id finds nothing."""
    owner, stranger, gate = store_harness.new_tenant(), store_harness.new_tenant(), Gate()
    store_harness.run(lambda: store_harness.store.append([gate.message(owner, [sent("c", doom="clock")])]))
    letter = letter_of(store_harness, owner)
    event = Gate().message(stranger, [sent("c")]).batches[0]
    run, store = store_harness.run, store_harness.store
    assert run(lambda: store.get(stranger, letter.id)) is None
    assert run(lambda: store.mend(stranger, letter.id, event)) is None
    assert run(lambda: store.replay(stranger, letter.id, event)) is None
    assert not run(lambda: store.discard(stranger, letter.id))
    assert letter_of(store_harness, owner) == letter
    # However great the number.
    assert run(lambda: store.get(owner, (1 << 63) - 1)) is None
    assert run(lambda: store.list(owner, reason=None, after=(1 << 63) - 1, limit=10)) == [letter]
    assert run(lambda: store.replay(owner, (1 << 63) - 1, event)) is None


def test_retention_deletes_readings_and_nothing_else(store_harness: Any) -> None:
    """Older readings go, the ids stay claimed, `stored` is not lowered; other tenants keep theirs."""
    tenant, other, gate = store_harness.new_tenant(), store_harness.new_tenant(), Gate()
    events = [sent(f"r{i}", recorded_us=BASE_US + i) for i in range(10)]
    appended(store_harness, [gate.message(tenant, events), gate.message(other, events)])
    while store_harness.run(lambda: store_harness.store.expire(BASE_US + 4, tenant)):
        pass
    assert [row[4] - BASE_US for row in store_harness.stored(tenant)] == [4, 5, 6, 7, 8, 9]
    assert len(store_harness.stored(other)) == 10
    settled = store_harness.run(lambda: store_harness.store.append([gate.message(tenant, events)]))
    assert set(results_of(settled[0])) == {(Outcome.DUPLICATE, None)}
    assert store_harness.run(lambda: store_harness.store.books(tenant)).stored == 10


def test_the_history_of_the_books_says_when_what_was_received(store_harness: Any) -> None:
    """Counts by steps of received time add up to the books; what lies outside, and others', is in none."""
    tenant, other = store_harness.new_tenant(), store_harness.new_tenant()
    start = BASE_US - BASE_US % MINUTE_US
    hour = 60 * MINUTE_US

    def append(owner: TenantNo, minutes: int, events: list[Sent]) -> None:
        # A gate of its own, so that its total is that of the minute.
        message = Gate().message(owner, events, start + minutes * MINUTE_US + 7)
        store_harness.run(lambda: store_harness.store.append([message]))

    append(tenant, 0, [sent("a"), sent("b")])
    append(tenant, 59, [sent("a"), sent("c")])
    append(tenant, 60, [sent("d", doom="clock"), sent("e", doom="clock"), sent("b", recorded_us=BASE_US + 1)])
    append(tenant, 239, [sent("f")])
    append(tenant, 240, [sent("g")])
    append(tenant, -1, [sent("h")])
    append(other, 30, [sent("a")])
    counts = [(tenant, start + hour, "invalid", 2), (tenant, start + 2 * hour, "quota", 4), (other, start, "quota", 1)]
    store_harness.run(lambda: store_harness.store.count_rejected(counts))

    steps = store_harness.run(lambda: store_harness.store.book_history(tenant, start, start + 4 * hour, hour))
    told = [
        ((step.start_us - start) // hour, step.announced, step.stored, step.duplicate, step.dead, step.rejected)
        for step in steps
    ]
    assert told == [
        (0, 4, 3, 1, {}, {}),
        (1, 3, 0, 0, {"clock": 2, "conflict": 1}, {"invalid": 2}),
        (2, 0, 0, 0, {}, {"quota": 4}),
        (3, 1, 1, 0, {}, {}),
    ]
    # Counted from where one begins, not from whole hours.
    shifted = store_harness.run(lambda: store_harness.store.book_history(tenant, start + hour // 2, start + hour, hour))
    assert [(step.start_us - start, step.announced, step.duplicate) for step in shifted] == [(hour // 2, 2, 1)]
    books = store_harness.run(lambda: store_harness.store.books(tenant, start, start + 4 * hour))
    assert books.stored == sum(step.stored for step in steps)
    assert books.announced == sum(step.announced for step in steps)


def test_letters_are_listed_by_device_and_by_received_time(store_harness: Any) -> None:
    """Newest first, of one device, within [from, to)."""
    tenant = store_harness.new_tenant()
    gate = Gate()
    for minute, device in enumerate((1, 2, 1)):
        event = sent(f"lost-{minute}", device=device, doom="clock")
        message = gate.message(tenant, [event], RECEIVED_US + minute * MINUTE_US)
        store_harness.run(lambda message=message: store_harness.store.append([message]))

    def listed(**asked: Any) -> list[str]:
        letters = store_harness.run(lambda: store_harness.store.list(tenant, reason=None, after=None, limit=9, **asked))
        return [letter.event_id for letter in letters]

    assert listed(device_id="dev-1") == ["lost-2", "lost-0"]
    assert listed(device_id="dev-3") == []
    assert listed(received=(RECEIVED_US, RECEIVED_US + MINUTE_US)) == ["lost-0"]
    assert listed(received=(RECEIVED_US + 1, None), device_id="dev-2") == ["lost-1"]


def test_rejected_counts_add_up_by_minute(store_harness: Any) -> None:
    """Counts of refused events are sums, by code and by minute of receipt."""
    tenant = store_harness.new_tenant()
    counts = [(tenant, BASE_US, "invalid", 2), (tenant, BASE_US + MINUTE_US, "quota", 1)]
    store_harness.run(lambda: store_harness.store.count_rejected(counts))
    store_harness.run(lambda: store_harness.store.count_rejected(counts[:1]))
    assert store_harness.run(lambda: store_harness.store.books(tenant)).rejected == {"invalid": 4, "quota": 1}
    minute = BASE_US - BASE_US % MINUTE_US
    in_minute = store_harness.run(lambda: store_harness.store.books(tenant, minute, minute + MINUTE_US))
    assert in_minute.rejected == {"invalid": 4}
