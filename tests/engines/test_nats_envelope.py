"""Packs: what goes in comes out, and no damaged byte passes."""

import os
import struct
import zlib
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_slice.engines.nats import envelope
from telemetry_slice.engines.nats.envelope import (
    PACK_BYTES,
    CorruptPackError,
    NewerPackError,
    Sealed,
    held_of,
    largest_message_bytes,
    messages_of,
)
from telemetry_slice.model.books import HeldMessage
from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo

MICROS = st.integers(-(2**62), 2**62)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=20)
MEASUREMENTS = st.lists(
    st.one_of(
        st.tuples(TEXTS, st.none() | TEXTS, st.just(int(Kind.NUMBER)), NUMBERS),
        st.tuples(TEXTS, st.none() | TEXTS, st.just(int(Kind.BOOLEAN)), st.sampled_from([0.0, 1.0])),
        st.tuples(TEXTS, st.none() | TEXTS, st.just(int(Kind.STRING)), TEXTS),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
EVENTS = st.tuples(
    st.binary(min_size=16, max_size=16),
    st.none() | TEXTS,
    st.integers(1, 2**31),
    TEXTS,
    MICROS,
    st.integers(-(2**63), 2**63 - 1),
    MEASUREMENTS,
)


@st.composite
def batches(draw):
    events = draw(st.lists(EVENTS, min_size=1, max_size=5))
    columns = [list(column) for column in zip(*events, strict=True)]
    doomed = draw(st.dictionaries(st.integers(0, len(events) - 1), TEXTS))
    return EventBatch(
        TenantNo(draw(st.integers(1, 2**31))),
        draw(MICROS),
        *columns,
        doomed,
        draw(st.integers(0, 2**53)),
        draw(st.integers(0, 2**53)),
    )


MESSAGES = st.builds(
    Message,
    st.binary(min_size=16, max_size=16),
    st.integers(1, 2**62),
    st.lists(batches(), min_size=1, max_size=3).map(tuple),
    st.booleans(),
)


def packed(messages):
    return Sealed.pack([Sealed(message) for message in messages])


@settings(max_examples=100, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=4))
def test_what_goes_in_comes_out(messages):
    pack = packed(messages)
    assert messages_of(pack) == messages
    assert held_of(pack) == [HeldMessage.of(message) for message in messages]
    assert len(pack) <= sum(Sealed(message).size_bytes for message in messages) + PACK_BYTES


@settings(max_examples=20, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=2), st.integers(1, 255))
def test_every_damaged_byte_is_seen(messages, damage):
    pack = packed(messages)
    for at in range(len(pack)):
        damaged = bytearray(pack)
        damaged[at] ^= damage
        for read in (messages_of, held_of):
            with pytest.raises(CorruptPackError):
                read(bytes(damaged))


@settings(max_examples=20, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=2), st.data())
def test_a_pack_that_is_cut_or_prolonged_is_seen(messages, data):
    pack = packed(messages)
    for damaged in (pack[: data.draw(st.integers(0, len(pack) - 1))], pack + data.draw(st.binary(min_size=1))):
        with pytest.raises(CorruptPackError):
            messages_of(damaged)


def sealed_anew(version, rest):
    covered = bytes((version,)) + rest
    return envelope.MAGIC + struct.pack(">I", zlib.crc32(covered)) + covered


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_nonsense_with_a_right_checksum_is_refused_and_nothing_else_happens(rest):
    for read in (messages_of, held_of):
        try:
            read(sealed_anew(1, rest))
        except CorruptPackError:
            continue


def test_a_whole_pack_of_another_version_is_told_from_a_damaged_one():
    pack = packed([a_message(1)])
    with pytest.raises(NewerPackError):
        messages_of(sealed_anew(2, pack[9:]))
    assert messages_of(sealed_anew(1, pack[9:])) == [a_message(1)]


VERSION_1 = (
    "54534c50bdccb5ad01000000269195c410000102030405060708090a0b0c0d0e0f07c36f919503cf000652e68bb340000202"
    "029198c420000000000000000000000000000000000000000000000000000000000000000192c0c092010192a56d65746572"
    "a56d6574657292cf000652e68bb34000cf000652e68bb3400092fbfb929194a16ea14300cb40358000000000009194a16ea1"
    "4300cb403580000000000080"
)


def a_message(events):
    return Message(
        bytes(range(16)),
        7,
        (
            EventBatch(
                TenantNo(3),
                1_780_000_000_000_000,
                [UUID(int=at).bytes for at in range(events)],
                [None] * events,
                [1] * events,
                ["meter"] * events,
                [1_780_000_000_000_000] * events,
                [-5] * events,
                [(("n", "C", int(Kind.NUMBER), 21.5),)] * events,
                {},
                events,
                events,
            ),
        ),
        wants_outcome=True,
    )


def test_version_1_stays_readable():
    """Bytes as a release has written them: what waits in a stream outlives an upgrade."""
    assert packed([a_message(2)]).hex() == VERSION_1
    assert messages_of(bytes.fromhex(VERSION_1)) == [a_message(2)]


def test_the_bound_of_a_message_holds_for_the_dearest_spellings():
    """Events as short as JSON allows, with as many measurements as they may have."""
    for measurements, events in ((1, 1_000), (256, 100)):
        names = [chr(33 + at % 90) + (chr(33 + at // 90) if at >= 90 else "") for at in range(measurements)]
        body = "{" + ",".join(f'"{name}":1' for name in names) + "}"
        event = '{"eventId":"a","deviceId":"b","recordedAt":"2026-01-01T00:00:00Z","measurements":' + body + "}"
        batch = EventBatch(
            TenantNo(2**31),
            2**62,
            [os.urandom(16)] * events,
            ["a"] * events,
            [2**31] * events,
            ["b"] * events,
            [2**62] * events,
            [-(2**63)] * events,
            [tuple((name, None, 0, 1.0) for name in names)] * events,
            dict.fromkeys(range(events), "series_limit"),
            2**62,
            2**62,
        )
        size = Sealed(Message(bytes(16), 2**62, (batch,))).size_bytes
        assert size <= largest_message_bytes(len(event) * events, events)
