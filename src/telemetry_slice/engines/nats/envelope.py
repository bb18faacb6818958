"""Packs: what one JetStream message holds, several queue messages of one gate.

Layout, big-endian: 4 bytes magic, u32 CRC-32 of everything after it, u8 version, and what the version defines. The
first nine bytes never change, so that any release can tell a broken pack from a newer one.

Version 1: u32 length of the index, the index, the bodies one after another. The index is msgpack: per message its
number, the length of its body, and per batch (tenant, received time, events, total, total of the minute); it is all
that the books need. A body is msgpack too: per batch its columns, the keys as one run of bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from ...model.books import HeldMessage
from ...model.events import EventBatch, Message, TenantNo

T = TypeVar("T")

MAGIC = b"TSLP"
VERSION = 1
_HEAD = struct.Struct(">4sIB")
_COVERED = 8
"""The CRC covers everything from here on."""
_LENGTH = struct.Struct(">I")
_KEY = 16
PACK_BYTES = 64
"""More than a pack adds to the sizes of its messages."""


def largest_message_bytes(request_bytes: int, request_events: int) -> int:
    """More than a message can take whose events came in one request of `request_bytes`, decompressed.

    The dearest spelling is a short one: `"t":1,` of 6 bytes becomes a measurement of 14. To each event come its key,
    times, number, meaning, and perhaps the reason of its doom.
    """
    return 3 * request_bytes + 96 * request_events + 1024


class CorruptPackError(Exception):
    """The bytes are not what a gate has sent."""


class NewerPackError(Exception):
    """The pack is whole, and of a version that this release cannot read."""


class _BatchHead(msgspec.Struct, array_like=True, frozen=True):
    tenant: int
    received_us: int
    events: int
    total: int
    minute_total: int


class _MessageHead(msgspec.Struct, array_like=True, frozen=True):
    incarnation: bytes
    sequence: int
    wants_outcome: bool
    body_bytes: int
    batches: tuple[_BatchHead, ...]


_Columns = tuple[
    bytes,
    list[str | None],
    list[int],
    list[str],
    list[int],
    list[int],
    list[tuple[tuple[str, str | None, int, float | str], ...]],
    dict[int, str],
]
_encoder = msgspec.msgpack.Encoder()
_index = msgspec.msgpack.Decoder(list[_MessageHead])
_body = msgspec.msgpack.Decoder(list[_Columns])


class Sealed:
    """One message ready to be packed.

    Attributes:
        held: what the books need to know of it.
        head, body: its part of the index, and what follows it.
        size_bytes: what it adds to a pack.
    """

    __slots__ = ("body", "head", "held", "size_bytes")

    def __init__(self, message: Message) -> None:
        self.held = HeldMessage.of(message)
        self.body = _encoder.encode(
            [
                (
                    b"".join(batch.keys),
                    batch.texts,
                    batch.devices,
                    batch.device_ids,
                    batch.recorded_us,
                    batch.meanings,
                    batch.measurements,
                    batch.doomed,
                )
                for batch in message.batches
            ]
        )
        self.head = _encoder.encode(
            _MessageHead(
                message.incarnation,
                message.sequence,
                message.wants_outcome,
                len(self.body),
                tuple(
                    _BatchHead(batch.tenant, batch.received_us, len(batch), batch.total, batch.minute_total)
                    for batch in message.batches
                ),
            )
        )
        self.size_bytes = len(self.head) + len(self.body)

    @staticmethod
    def pack(messages: Sequence[Sealed]) -> bytes:
        """One pack of them all, in their order."""
        index = _encoder.encode([msgspec.Raw(message.head) for message in messages])
        covered = b"".join(
            (
                bytes((VERSION,)),
                _LENGTH.pack(len(index)),
                index,
                *(message.body for message in messages),
            )
        )
        return MAGIC + _LENGTH.pack(zlib.crc32(covered)) + covered


def messages_of(pack: bytes) -> list[Message]:
    """Everything in a pack. Raises CorruptPackError, NewerPackError."""
    return _opened(pack, {1: _messages_1})


def held_of(pack: bytes) -> list[HeldMessage]:
    """What the books need of a pack, without decoding its events. Raises CorruptPackError, NewerPackError."""
    return _opened(pack, {1: _held_1})


def _opened(pack: bytes, readers: dict[int, Callable[[memoryview], T]]) -> T:
    """Check a pack and hand what follows its version to the reader of that version."""
    if len(pack) < _HEAD.size or pack[: len(MAGIC)] != MAGIC:
        raise CorruptPackError("no pack")
    _, check, version = _HEAD.unpack_from(pack)
    view = memoryview(pack)
    if zlib.crc32(view[_COVERED:]) != check:
        raise CorruptPackError("the checksum does not fit")
    reader = readers.get(version)
    if reader is None:
        raise NewerPackError(f"version {version}")
    try:
        return reader(view[_HEAD.size :])
    except Exception as error:
        raise CorruptPackError(f"whole, but not understood: {error}") from error


def _heads_1(rest: memoryview) -> tuple[list[_MessageHead], memoryview]:
    (length,) = _LENGTH.unpack_from(rest)
    start = _LENGTH.size
    return _index.decode(rest[start : start + length]), rest[start + length :]


def _held_1(rest: memoryview) -> list[HeldMessage]:
    heads, _ = _heads_1(rest)
    return [
        HeldMessage(
            head.incarnation,
            head.sequence,
            tuple((TenantNo(batch.tenant), batch.received_us, batch.events, batch.total) for batch in head.batches),
        )
        for head in heads
    ]


def _messages_1(rest: memoryview) -> list[Message]:
    heads, bodies = _heads_1(rest)
    messages = []
    for head in heads:
        columns = _body.decode(bodies[: head.body_bytes])
        bodies = bodies[head.body_bytes :]
        batches = tuple(_batch_1(batch, row) for batch, row in zip(head.batches, columns, strict=True))
        messages.append(Message(head.incarnation, head.sequence, batches, head.wants_outcome))
    if bodies:
        raise ValueError("more bytes than the index tells")
    return messages


def _batch_1(head: _BatchHead, row: _Columns) -> EventBatch:
    run, doomed = row[0], row[7]
    keys = [run[at : at + _KEY] for at in range(0, len(run), _KEY)]
    if {len(keys), *(len(column) for column in row[1:7])} != {head.events}:
        raise ValueError("columns of unequal length")
    return EventBatch(TenantNo(head.tenant), head.received_us, keys, *row[1:7], doomed, head.total, head.minute_total)
