"""How the API process and its writer child talk: length-prefixed msgpack frames over a socket pair.

A request is [id, operation, arguments], an answer [id, failure | null, result]. Failures are `data` (DataError) or
`unavailable`. Both ends are of one release: the format is not kept anywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from ...model.events import EventBatch, Message, Settlement, TenantNo

LENGTH = struct.Struct(">I")

_BatchRow = tuple[
    int,
    int,
    list[bytes],
    list[str | None],
    list[int],
    list[str],
    list[int],
    list[int],
    list[tuple[tuple[str, str | None, int, float | str], ...]],
    dict[int, str],
    int,
    int,
]
_MessageRow = tuple[bytes, int, list[_BatchRow]]

_encoder = msgspec.msgpack.Encoder()
_append = msgspec.msgpack.Decoder(tuple[bool, list[_MessageRow]])
_batch = msgspec.msgpack.Decoder(_BatchRow)
_plain = msgspec.msgpack.Decoder()


class Request(msgspec.Struct, array_like=True):
    """A call of the child."""

    id: int
    operation: str
    arguments: msgspec.Raw


class Answer(msgspec.Struct, array_like=True):
    """The child's answer to the call with the same id."""

    id: int
    failure: str | None
    result: msgspec.Raw


_requests = msgspec.msgpack.Decoder(Request)
_answers = msgspec.msgpack.Decoder(Answer)


def _row(batch: EventBatch) -> tuple[object, ...]:
    return (
        batch.tenant,
        batch.received_us,
        batch.keys,
        batch.texts,
        batch.devices,
        batch.device_ids,
        batch.recorded_us,
        batch.meanings,
        batch.measurements,
        batch.doomed,
        batch.total,
        batch.minute_total,
    )


def _from_row(row: _BatchRow) -> EventBatch:
    return EventBatch(TenantNo(row[0]), *row[1:])


def encode_append(messages: Sequence[Message], *, commit: bool) -> bytes:
    """The arguments of an append."""
    return _encoder.encode((commit, [(m.incarnation, m.sequence, [_row(b) for b in m.batches]) for m in messages]))


def decode_append(encoded: msgspec.Raw) -> tuple[list[Message], bool]:
    """What `encode_append` was given."""
    commit, messages = _append.decode(encoded)
    return [
        Message(incarnation, sequence, tuple(_from_row(row) for row in rows))
        for incarnation, sequence, rows in messages
    ], commit


def encode_batch(batch: EventBatch) -> bytes:
    return _encoder.encode(_row(batch))


def decode_batch(encoded: bytes) -> EventBatch:
    return _from_row(_batch.decode(encoded))


def plain_settlement(settlement: Settlement) -> tuple[object, ...]:
    reasons = [(b, e, reason) for (b, e), reason in settlement.reasons.items()]
    return (settlement.outcomes, reasons, settlement.stored_us, settlement.redelivered)


def settlement_from(plain: Any) -> Settlement:
    outcomes, reasons, stored_us, redelivered = plain
    return Settlement(tuple(outcomes), {(b, e): reason for b, e, reason in reasons}, stored_us, redelivered)


def request_frame(number: int, operation: str, arguments: bytes) -> bytes:
    return _framed(_encoder.encode(Request(number, operation, msgspec.Raw(arguments))))


def answer_frame(number: int, failure: str | None, result: object) -> bytes:
    return _framed(_encoder.encode(Answer(number, failure, msgspec.Raw(_encoder.encode(result)))))


def _framed(body: bytes) -> bytes:
    return LENGTH.pack(len(body)) + body


decode_request = _requests.decode
decode_answer = _answers.decode


def encode_plain(value: object) -> bytes:
    return _encoder.encode(value)


def decode_plain(encoded: msgspec.Raw) -> Any:
    return _plain.decode(encoded)
