"""News on the wire. Each tenant has a channel, with a count of all that was ever told on it.

The server counts and publishes in one script, so that whoever listens sees by the count what it was not told: a piece
of news is `epoch:sequence`, a newline, and a body, which is empty where something happened that is not told. The epoch
is drawn anew when a process could not tell something, or may have died with something untold, and when the server has
lost its memory: sequences of another epoch say nothing, so everybody has missed something.

Bodies are msgpack and begin with the version of their form. Fields have names: a release may add some.
"""

from __future__ import annotations

import secrets

import msgspec

from ...model.events import EventBatch, Settlement, TenantNo
from .connection import PREFIX, Script

VERSION = 1
NEWS = PREFIX + "news:"
OUTCOMES = PREFIX + "outcomes:"
MARKS = PREFIX + "marks:"
CHANGES = PREFIX + "changes"
COUNTS = (PREFIX + "{news}:epoch", PREFIX + "{news}:sequences")

COUNTED, IF_UNHEARD = "counted", "unheard"
TELL = Script("""
local epoch = ARGV[2] ~= 'renew' and redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
local ears = {}
for place = 3, #ARGV, 3 do
  local channel, mode, body = ARGV[place], ARGV[place + 1], ARGV[place + 2]
  local listening = mode == 'unheard' and redis.call('PUBSUB', 'NUMSUB', channel)[2] or 0
  if mode == 'unheard' and listening == 0 then
    redis.call('HINCRBY', KEYS[2], channel, 1)
  elseif mode == 'counted' then
    body = epoch .. ':' .. redis.call('HINCRBY', KEYS[2], channel, 1) .. '\\n' .. body
  end
  ears[#ears + 1] = mode == 'unheard' and listening or redis.call('PUBLISH', channel, body)
end
return ears
""")
"""(new epoch, 'renew' or '', then channel, mode, body …) → how many listen to each.

The mode is `COUNTED`, '' for what is not counted, or `IF_UNHEARD`: counted where nobody listens, else nothing is done.
"""

MARK = Script("""
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
local counts = {}
for place = 3, #ARGV do
  counts[ARGV[place]] = tonumber(redis.call('HGET', KEYS[2], ARGV[place]) or 0)
end
return redis.call('PUBLISH', ARGV[2], cmsgpack.pack({epoch, counts}))
""")
"""(new epoch, channel of the asker, channels …): publish to the asker how much was told on each channel. What it hears
later was told later, and what was told before it has heard, or never will."""

_encode = msgspec.msgpack.Encoder().encode
_news = msgspec.msgpack.Decoder(tuple[int, EventBatch, bytes, int])
_outcome = msgspec.msgpack.Decoder(tuple[int, int, Settlement])
_change = msgspec.msgpack.Decoder(tuple[int, int])
_mark = msgspec.msgpack.Decoder(tuple[str, dict[str, int]])


class UnknownNewsError(Exception):
    """News of a form that this release does not know."""


def channel_of(tenant: TenantNo) -> str:
    return f"{NEWS}{tenant}"


def new_epoch() -> str:
    return secrets.token_hex(8)


def encode_news(batch: EventBatch, outcomes: bytes, stored_us: int) -> bytes:
    return _encode((VERSION, batch, outcomes, stored_us))


def decode_news(body: bytes) -> tuple[EventBatch, bytes, int]:
    """Raises UnknownNewsError."""
    try:
        version, batch, outcomes, stored_us = _news.decode(body)
    except msgspec.DecodeError as error:
        raise UnknownNewsError(str(error)) from None
    _check(version)
    return batch, outcomes, stored_us


def encode_outcome(sequence: int, settlement: Settlement) -> bytes:
    return _encode((VERSION, sequence, settlement))


def decode_outcome(body: bytes) -> tuple[int, Settlement]:
    """(sequence of the message, settlement). Raises UnknownNewsError."""
    try:
        version, sequence, settlement = _outcome.decode(body)
    except msgspec.DecodeError as error:
        raise UnknownNewsError(str(error)) from None
    _check(version)
    return sequence, settlement


def encode_change(tenant: TenantNo) -> bytes:
    return _encode((VERSION, tenant))


def decode_change(body: bytes) -> TenantNo:
    """Raises UnknownNewsError."""
    try:
        version, tenant = _change.decode(body)
    except msgspec.DecodeError as error:
        raise UnknownNewsError(str(error)) from None
    _check(version)
    return TenantNo(tenant)


def _check(version: int) -> None:
    if version != VERSION:
        raise UnknownNewsError(f"version {version}")


def decode_mark(body: bytes) -> tuple[str, dict[str, int]]:
    """(epoch, channel → sequence)."""
    return _mark.decode(body)


def split(data: bytes) -> tuple[tuple[str, int], bytes]:
    """((epoch, sequence), body) of a piece of news."""
    head, _, body = data.partition(b"\n")
    epoch, _, sequence = head.partition(b":")
    return (epoch.decode(), int(sequence)), body
