"""Events: identity, meaning, and the columnar batch that travels from the gate to the store.

An event is one atom of the books. Its identity is (tenant, event id); its *meaning* is what its device said, hashed
over a frozen binary encoding, so that spelling (key order, number format, time offset) never makes a conflict.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NewType

from .placement import SHARED, Placement
from .times import rfc3339

TenantNo = NewType("TenantNo", int)
"""The registry's integer of a tenant: the first argument of every data method."""

MAX_EVENT_ID = 128
MAX_TYPE = 64
MAX_UNIT = 32
MAX_DEVICE_ID = 128
MAX_STRING_VALUE = 1024
MAX_MEASUREMENTS = 256


class Kind(IntEnum):
    """What a measurement's value is. A boolean is not a number."""

    NUMBER = 0
    BOOLEAN = 1
    STRING = 2


Value = float | bool | str
Measurement = tuple[str, str | None, int, float | str]
"""(type, unit, Kind, value); a boolean's value is 0.0 or 1.0."""


class Outcome(IntEnum):
    """What became of an accepted event; one byte each in a settlement."""

    STORED = 0
    DUPLICATE = 1
    DEAD = 2


class DeadReason(StrEnum):
    """Why an accepted event became a dead letter."""

    CLOCK = "clock"
    CONFLICT = "conflict"
    SERIES_LIMIT = "series_limit"
    ID_EXPIRED = "id_expired"
    POISON = "poison"


class RejectCode(StrEnum):
    """Why an event or a whole request was not accepted; the key of `rejected` in the books."""

    INVALID = "invalid"
    MALFORMED = "malformed"
    UNKNOWN_DEVICE = "unknown_device"
    DEVICE_DELETED = "device_deleted"
    FOREIGN_DEVICE = "foreign_device"
    FOREIGN_TENANT = "foreign_tenant"
    TOO_LARGE = "too_large"
    QUOTA = "quota"
    CAPACITY = "capacity"
    SUSPENDED = "suspended"


def event_key(event_id: str) -> tuple[bytes, str | None]:
    """The 16-byte key of an event id, and the id's text where the key does not tell it.

    A canonical 8-4-4-4-12 hexadecimal id is a UUID, case-insensitive: its bytes are the key. Every other id is its
    exact code points: BLAKE2b-128 (RFC 7693) of its UTF-8 bytes is the key, and the text is kept.

    Raises:
        UnicodeEncodeError: the id contains a lone surrogate.
    """
    if len(event_id) == 36 and event_id[8] == event_id[13] == event_id[18] == event_id[23] == "-":
        digits = event_id.replace("-", "")
        if len(digits) == 32:
            try:
                key = bytes.fromhex(digits)
            except ValueError:
                pass
            else:
                if len(key) == 16:
                    return key, None
    return blake2b(event_id.encode(), digest_size=16, person=b"tslice-id").digest(), event_id


def event_id_of(key: bytes, text: str | None) -> str:
    """The event id as it is echoed: the kept text, or the key as a lower-case UUID."""
    if text is not None:
        return text
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


_HEAD = struct.Struct(">BqH")
_NUMBER = struct.Struct(">d")
_LENGTH = struct.Struct(">H")
_HASH = struct.Struct(">q")
_MEANING_VERSION = 1
_NAMES_KEPT = 10_000


def _text(text: str | None) -> bytes:
    if text is None:
        return b"\xff\xff"
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def encode_meaning(device_id: str, recorded_us: int, measurements: Sequence[Measurement]) -> bytes:
    """The frozen binary form of what a device said (version 1); golden vectors in `tests/flow/test_meaning.py`.

    Layout, big-endian: u8 version, i64 recorded_us, u16 number of measurements, device id; then per measurement in
    order of type: type, unit, u8 kind, and the value (f64 with -0 as 0, or a text). A text is u16 length + UTF-8, an
    absent one 0xFFFF. Tenant, event id, received time, API version and unknown fields are outside.
    """
    parts = [_HEAD.pack(_MEANING_VERSION, recorded_us, len(measurements)), _text(device_id)]
    for kind_of, unit, kind, value in (
        sorted(measurements, key=lambda m: m[0]) if len(measurements) > 1 else measurements
    ):
        parts.append(_named(kind_of, unit, kind))
        # Adding 0.0 turns -0.0 into 0.0 and leaves every other number as it is.
        parts.append(_text(value) if isinstance(value, str) else _NUMBER.pack(value + 0.0))
    return b"".join(parts)


@lru_cache(_NAMES_KEPT)
def _named(kind_of: str, unit: str | None, kind: int) -> bytes:
    return _text(kind_of) + _text(unit) + bytes((kind,))


_hash_of_nothing = blake2b(digest_size=8, person=b"tslice-meaning")


def meaning_of(device_id: str, recorded_us: int, measurements: Sequence[Measurement]) -> int:
    """The signed 64-bit meaning of an event: BLAKE2b-64 over `encode_meaning`."""
    # A copy costs less than parsing the parameters anew.
    hashed = _hash_of_nothing.copy()
    hashed.update(encode_meaning(device_id, recorded_us, measurements))
    meaning: int = _HASH.unpack(hashed.digest())[0]
    return meaning


def event_body(
    event_id: str, device_id: str, recorded_us: int, measurements: Sequence[Measurement]
) -> dict[str, object]:
    """An event as the JSON object a device could send again: v1 for one number, else v2."""

    def plain(kind: int, value: float | str) -> Value:
        return bool(value) if kind == Kind.BOOLEAN else value

    body: dict[str, object] = {"eventId": event_id, "deviceId": device_id, "recordedAt": rfc3339(recorded_us)}
    if len(measurements) == 1 and measurements[0][2] == Kind.NUMBER:
        kind_of, unit, _, value = measurements[0]
        return body | {"type": kind_of, "value": value} | ({} if unit is None else {"unit": unit})
    return body | {
        "measurements": {
            kind_of: plain(kind, value) if unit is None else {"value": plain(kind, value), "unit": unit}
            for kind_of, unit, kind, value in measurements
        }
    }


@dataclass(slots=True)
class EventBatch:
    """Events of one tenant that one gate accepted in one request, as columns of equal length.

    Attributes:
        tenant: whose events these are.
        received_us: when the gate received them.
        keys: 16-byte event keys.
        texts: event ids that are not UUIDs; None where the key tells the id.
        devices: device numbers of the registry.
        device_ids: device ids as sent, for dead letters.
        recorded_us: device times.
        meanings: meaning hashes.
        measurements: per event its measurements, at least one.
        doomed: index → reason for events that are accepted but will become dead letters.
        total: this gate's running total of accepted events for the tenant since its start, this batch included.
        minute_total: the same within the minute of `received_us`.
    """

    tenant: TenantNo
    received_us: int
    keys: list[bytes] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    devices: list[int] = field(default_factory=list)
    device_ids: list[str] = field(default_factory=list)
    recorded_us: list[int] = field(default_factory=list)
    meanings: list[int] = field(default_factory=list)
    measurements: list[tuple[Measurement, ...]] = field(default_factory=list)
    doomed: dict[int, str] = field(default_factory=dict)
    total: int = 0
    minute_total: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    def select(self, indexes: Sequence[int]) -> EventBatch:
        """A batch of the events at `indexes`, in that order."""
        return EventBatch(
            self.tenant,
            self.received_us,
            [self.keys[i] for i in indexes],
            [self.texts[i] for i in indexes],
            [self.devices[i] for i in indexes],
            [self.device_ids[i] for i in indexes],
            [self.recorded_us[i] for i in indexes],
            [self.meanings[i] for i in indexes],
            [self.measurements[i] for i in indexes],
            {new: self.doomed[old] for new, old in enumerate(indexes) if old in self.doomed},
            self.total,
            self.minute_total,
        )

    def event_id(self, index: int) -> str:
        """The echoed id of one event."""
        return event_id_of(self.keys[index], self.texts[index])

    def body(self, index: int) -> dict[str, object]:
        """One event as the JSON object a device could send again."""
        return event_body(
            self.event_id(index), self.device_ids[index], self.recorded_us[index], self.measurements[index]
        )


@dataclass(slots=True)
class Message:
    """What travels through the queue: numbered by its gate, so that a lost or repeated one is seen.

    Attributes:
        incarnation: 16 random bytes that its gate has drawn since it started, for this placement.
        sequence: 1, 2, 3, … within the incarnation, without gaps.
        batches: one per tenant.
        wants_outcome: whether a sender waits for the outcome of each event.
        placement: where its tenants' telemetry lies. Known to the gate, which numbers the messages of each placement
            by themselves; it does not travel.
    """

    incarnation: bytes
    sequence: int
    batches: tuple[EventBatch, ...]
    wants_outcome: bool = False
    placement: Placement = SHARED

    @property
    def event_count(self) -> int:
        batches = self.batches
        return len(batches[0].keys) if len(batches) == 1 else sum(map(len, batches))


@dataclass(slots=True)
class Settlement:
    """What the store decided about one message.

    Attributes:
        outcomes: per batch one `Outcome` byte per event; empty when `redelivered`.
        reasons: (batch index, event index) → reason of the dead.
        stored_us: the database clock of the storing transaction.
        redelivered: the message had been settled before; nothing was counted or stored again.
    """

    outcomes: tuple[bytes, ...]
    reasons: dict[tuple[int, int], str] = field(default_factory=dict)
    stored_us: int = 0
    redelivered: bool = False
