"""JSON bodies → wire events, with a reason for every event that is not one.

Two roads. The quick one decodes the whole body in one typed pass and proves by counting quotes that no key was repeated
or unknown. Whatever fails it takes the careful road, event by event, so that a bad event never costs its neighbours.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ...model.errors import Code, FieldError, SliceError
from ...model.events import RejectCode

MAX_EVENT_BYTES = 64 * 1024
MAX_STRUCTURES = 64_000
MAX_MEMBERS = 256_000

_AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]


class Measured(msgspec.Struct, gc=False):
    """One measurement with its unit."""

    value: float | bool | str
    unit: str | None = None


class WireV1(msgspec.Struct, rename="camel", gc=False):
    """A v1 event: one number."""

    event_id: str
    device_id: str
    recorded_at: _AwareTime | int
    type: str
    value: float
    unit: str | None = None
    customer_id: str | None = None


class WireV2(msgspec.Struct, rename="camel", gc=False):
    """A v2 event: several measurements of one instant."""

    event_id: str
    device_id: str
    recorded_at: _AwareTime | int
    measurements: dict[str, float | bool | str | Measured]
    customer_id: str | None = None


Wire = WireV1 | WireV2


class _EnvelopeV1(msgspec.Struct):
    events: list[WireV1]


class _EnvelopeV2(msgspec.Struct):
    events: list[WireV2]


class _RawEnvelope(msgspec.Struct):
    events: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that was not accepted: its place in the request, its id where one could be read, and why."""

    index: int
    event_id: str | None
    code: RejectCode
    detail: str
    pointer: str = ""


@dataclass(slots=True)
class Decoded:
    """A request's events, each with its place in the request, and the rejected ones.

    Attributes:
        single: the body was one event, not a list: pointers then start at the event itself.
    """

    events: Sequence[Wire]
    places: Sequence[int]
    rejected: list[Rejected] = field(default_factory=list)
    unknown_fields: int = 0
    prefix: str = ""
    single: bool = False


_LIST = {1: msgspec.json.Decoder(list[WireV1]), 2: msgspec.json.Decoder(list[WireV2])}
_ONE: dict[int, msgspec.json.Decoder[Any]] = {1: msgspec.json.Decoder(WireV1), 2: msgspec.json.Decoder(WireV2)}
_ENVELOPE: dict[int, msgspec.json.Decoder[Any]] = {
    1: msgspec.json.Decoder(_EnvelopeV1),
    2: msgspec.json.Decoder(_EnvelopeV2),
}
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_ENVELOPE = msgspec.json.Decoder(_RawEnvelope)
_KNOWN = {
    1: frozenset(("eventId", "deviceId", "recordedAt", "type", "value", "unit", "customerId")),
    2: frozenset(("eventId", "deviceId", "recordedAt", "measurements", "customerId")),
}
_WHITE = b" \t\r\n"
_AT = re.compile(r"^(?P<what>.*?) - at `(?P<path>\$.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]")


def decode(body: bytes, version: int, *, ndjson: bool, max_events: int) -> Decoded:
    """The events of a request body of API `version` 1 or 2.

    Raises:
        SliceError: MALFORMED if the body is not JSON, INVALID if it is not events at all, TOO_LARGE if it holds more
            than `max_events` events or absurdly many values.
    """
    first = body.lstrip(_WHITE)[:1]
    if not first:
        raise SliceError(Code.MALFORMED, "the body is empty", fields=(FieldError("", "expected JSON"),))
    prefix, single = "", False
    try:
        if ndjson:
            events: Sequence[Wire] = _ONE[version].decode_lines(body)
        elif first == b"[":
            events = _LIST[version].decode(body)
        elif b'"events"' in body:
            events, prefix = _ENVELOPE[version].decode(body).events, "/events"
        else:
            events, single = [_ONE[version].decode(body)], True
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _carefully(body, version, ndjson=ndjson, first=first, max_events=max_events)
    if len(events) > max_events:
        raise _too_many(len(events), max_events)
    extra = 2 if prefix else 0
    if b"\\" in body or body.count(b'"') != _quotes(events, version) + extra:
        return _carefully(body, version, ndjson=ndjson, first=first, max_events=max_events)
    return Decoded(events, range(len(events)), prefix=prefix, single=single)


def _quotes(events: Sequence[Wire], version: int) -> int:
    """How many quotation marks the events have if every key is known and none is repeated, and `unit` is never null."""
    if version == 1:
        quotes = 16 * len(events)
        for event in events:
            if event.unit is not None:
                quotes += 4
            if event.recorded_at.__class__ is datetime:
                quotes += 2
            if event.customer_id is not None:
                quotes += 4
        return quotes
    quotes = 12 * len(events)
    for event in events:
        if event.recorded_at.__class__ is datetime:
            quotes += 2
        if event.customer_id is not None:
            quotes += 4
        quotes += 2 * len(event.measurements)  # type: ignore[union-attr]
        for value in event.measurements.values():  # type: ignore[union-attr]
            if value.__class__ is str:
                quotes += 2
            elif value.__class__ is Measured:
                quotes += 2 + (4 if value.unit is not None else 0) + (2 if value.value.__class__ is str else 0)
    return quotes


def _too_many(count: int, most: int) -> SliceError:
    return SliceError(Code.TOO_LARGE, f"{count} events in one request; at most {most} are taken")


def _malformed(detail: str) -> SliceError:
    return SliceError(Code.MALFORMED, detail, fields=(FieldError("", detail),))


def _carefully(body: bytes, version: int, *, ndjson: bool, first: bytes, max_events: int) -> Decoded:
    """Event by event, bounded in time and memory whatever the body holds."""
    if body.count(b"{") + body.count(b"[") > MAX_STRUCTURES or body.count(b",") > MAX_MEMBERS:
        raise SliceError(Code.TOO_LARGE, f"more than {MAX_STRUCTURES} objects or {MAX_MEMBERS} values in one request")
    prefix, single, raws = _split(body, ndjson=ndjson, first=first)
    if len(raws) > max_events:
        raise _too_many(len(raws), max_events)
    decoded = Decoded([], [], prefix=prefix, single=single)
    events: list[Wire] = []
    places: list[int] = []
    for index, raw in enumerate(raws):
        outcome = _careful_event(raw, version, index)
        if isinstance(outcome, Rejected):
            decoded.rejected.append(outcome)
        else:
            event, unknown = outcome
            events.append(event)
            places.append(index)
            decoded.unknown_fields += unknown
    decoded.events, decoded.places = events, places
    return decoded


def _split(body: bytes, *, ndjson: bool, first: bytes) -> tuple[str, bool, list[bytes]]:
    if ndjson:
        return "", False, [line for line in body.split(b"\n") if line.strip(_WHITE)]
    try:
        if first == b"[":
            return "", False, [bytes(raw) for raw in _RAW_LIST.decode(body)]
        if first != b"{":
            raise SliceError(
                Code.INVALID,
                "expected an event, a list of events or {\"events\": […]}",
                fields=(FieldError("", "expected an object or an array"),),
            )
        try:
            keys = _keys(json.loads(body, object_pairs_hook=list, parse_constant=_no_constant))
        except _RepeatedKeyError as error:
            raise _malformed(f"the key {error} stands twice in one object") from None
        if "events" in keys and "eventId" not in keys:
            return "/events", False, [bytes(raw) for raw in _RAW_ENVELOPE.decode(body).events]
        return "", True, [body]
    except msgspec.ValidationError as error:
        raise SliceError(Code.INVALID, str(error), fields=(FieldError("/events", str(error)),)) from None
    except msgspec.DecodeError as error:
        raise _malformed(str(error)) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise _malformed(str(error)) from None
    except RecursionError:
        raise _malformed("nested too deeply") from None


class _RepeatedKeyError(ValueError):
    """A key stands twice in one object."""


def _keys(pairs: Any) -> set[str]:
    """The keys of the outermost object; a repeated one raises."""
    keys: set[str] = set()
    for key, _ in pairs:
        if key in keys:
            raise _RepeatedKeyError(key)
        keys.add(key)
    return keys


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        _keys(pairs)
    return members


def _careful_event(raw: bytes, version: int, index: int) -> tuple[Wire, int] | Rejected:
    event_id: str | None = None

    def rejected(code: RejectCode, detail: str, pointer: str = "") -> Rejected:
        return Rejected(index, event_id, code, detail, pointer)

    if len(raw) > MAX_EVENT_BYTES:
        return rejected(RejectCode.TOO_LARGE, f"an event of {len(raw)} bytes; at most {MAX_EVENT_BYTES} are taken")
    try:
        members = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
    except _RepeatedKeyError as error:
        return rejected(RejectCode.INVALID, f"the key {str(error)!r} stands twice in one object", f"/{error}")
    except RecursionError:
        return rejected(RejectCode.MALFORMED, "nested too deeply")
    except ValueError as error:
        return rejected(RejectCode.MALFORMED, f"not JSON: {error}")
    if isinstance(members, dict) and isinstance(members.get("eventId"), str):
        event_id = printable(members["eventId"])
    try:
        event: Wire = _ONE[version].decode(raw)
    except msgspec.ValidationError as error:
        pointer, detail = _blame(str(error), members)
        return rejected(RejectCode.INVALID, detail, pointer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return rejected(RejectCode.MALFORMED, str(error) or "nested too deeply")
    return event, len(members.keys() - _KNOWN[version])


def printable(text: str) -> str:
    """A text that can be echoed in JSON: without lone surrogates, and not longer than an id may be."""
    return text[:128].encode("utf-8", "replace").decode()


def _blame(message: str, members: Any) -> tuple[str, str]:
    """The JSON pointer and the reason from msgspec's message."""
    located = _AT.match(message)
    detail, path = (located["what"], located["path"]) if located else (message, "$")
    pointer = "".join(f"/{name or position}" for name, position in _STEP.findall(path))
    missing = re.search(r"missing required field `(\w+)`", detail)
    if missing:
        return f"{pointer}/{missing[1]}", f"{missing[1]} is missing"
    if pointer.endswith("/...") and isinstance(members, dict) and isinstance(members.get("measurements"), dict):
        for name, value in members["measurements"].items():
            inner = value.get("value") if isinstance(value, dict) else value
            if not isinstance(inner, int | float | str) or (isinstance(inner, float) and not math.isfinite(inner)):
                return f"/measurements/{name}", f"measurements.{name}: {detail}"
    name = pointer.strip("/").replace("/", ".")
    return pointer, f"{name}: {detail}" if name else detail
