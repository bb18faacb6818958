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

from ...model.errors import Code, SliceError
from ...model.events import RejectCode
from .split import malformed, printable, split

MAX_EVENT_BYTES = 64 * 1024
MAX_STRUCTURES = 300_000
MAX_VALUES = 300_000
"""Enough for a full request of events with all the measurements they may have."""
MAX_CAREFUL_STRUCTURES = 64_000
MAX_CAREFUL_VALUES = 128_000
"""The same for a request that is not plain: it costs ten times as much."""

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


_LIST: dict[int, msgspec.json.Decoder[Any]] = {
    1: msgspec.json.Decoder(list[WireV1]),
    2: msgspec.json.Decoder(list[WireV2]),
}
_ONE: dict[int, msgspec.json.Decoder[Any]] = {1: msgspec.json.Decoder(WireV1), 2: msgspec.json.Decoder(WireV2)}
_ENVELOPE: dict[int, msgspec.json.Decoder[Any]] = {
    1: msgspec.json.Decoder(_EnvelopeV1),
    2: msgspec.json.Decoder(_EnvelopeV2),
}
_KNOWN = {
    1: frozenset(("eventId", "deviceId", "recordedAt", "type", "value", "unit", "customerId")),
    2: frozenset(("eventId", "deviceId", "recordedAt", "measurements", "customerId")),
}
_WHITE = b" \t\r\n"
_AT = re.compile(r"^(?P<what>.*?) - at `(?P<path>\$.*)`$", re.DOTALL)
_TYPES = re.compile(r"^Expected `(?P<expected>[a-z |]+)`, got `(?P<found>[a-z]+)`$")
_TYPE_NAMES = {
    "array": "a list",
    "bool": "true or false",
    "datetime": "an RFC 3339 time",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "a text",
}
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]")


def decode(body: bytes, version: int, *, ndjson: bool, max_events: int) -> Decoded:
    """The events of a request body of API `version` 1 or 2.

    Raises:
        SliceError: MALFORMED if the body is not JSON, INVALID if it is not events at all, TOO_LARGE if it holds more
            than `max_events` events or absurdly many values.
    """
    first = body.lstrip(_WHITE)[:1]
    if not first:
        raise malformed("the body is empty: expected JSON")
    _bound(body, MAX_STRUCTURES, MAX_VALUES)
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
        return _carefully(body, version, ndjson=ndjson, max_events=max_events)
    if len(events) > max_events:
        raise _too_many(len(events), max_events)
    extra = 2 if prefix else 0
    if b"\\" in body or body.count(b'"') != _quotes(events, version) + extra:
        return _carefully(body, version, ndjson=ndjson, max_events=max_events)
    return Decoded(events, range(len(events)), prefix=prefix, single=single)


def _quotes(events: Sequence[Wire], version: int) -> int:
    """How many quotation marks the events have if every key is known and none is repeated, and `unit` is never null."""
    if version == 1:
        quotes = 16 * len(events)
        for event in events:
            if event.unit is not None:  # type: ignore[union-attr]
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


def _bound(body: bytes, structures: int, values: int) -> None:
    if len(body) <= min(structures, values):
        return
    if body.count(b"{") + body.count(b"[") > structures or body.count(b",") > values:
        raise SliceError(Code.TOO_LARGE, f"more than {structures} objects or {values} values in one request")


def _too_many(count: int, most: int) -> SliceError:
    return SliceError(Code.TOO_LARGE, f"{count} events in one request; at most {most} are taken")


def _carefully(body: bytes, version: int, *, ndjson: bool, max_events: int) -> Decoded:
    """Event by event; what this costs is in proportion to the number of values, whatever is wrong with them."""
    _bound(body, MAX_CAREFUL_STRUCTURES, MAX_CAREFUL_VALUES)
    prefix, single, raws = split(body, ndjson=ndjson)
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


class _RepeatedKeyError(ValueError):
    """A key stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys: set[str] = set()
        for key, _ in pairs:
            if key in keys:
                raise _RepeatedKeyError(printable(key))
            keys.add(key)
    return members


def _careful_event(raw: bytes, version: int, index: int) -> tuple[Wire, int] | Rejected:
    event_id: str | None = None

    def rejected(code: RejectCode, detail: str, pointer: str = "") -> Rejected:
        return Rejected(index, event_id, code, detail, pointer)

    if len(raw) > MAX_EVENT_BYTES:
        return rejected(RejectCode.TOO_LARGE, f"an event of {len(raw)} bytes; at most {MAX_EVENT_BYTES} are taken")
    try:
        # Numbers are looked at by the typed pass below; here they only must not cost.
        members = json.loads(raw, object_pairs_hook=_unique, parse_int=float)
    except _RepeatedKeyError as error:
        key = str(error)
        return rejected(RejectCode.INVALID, f"the key {key!r} stands twice in one object", pointer_to(key))
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
        pointer = _not_finite(members)
        detail = "NaN and Infinity are not JSON" if pointer else str(error) or "nested too deeply"
        return rejected(RejectCode.MALFORMED, detail, pointer)
    return event, len(members.keys() - _KNOWN[version])


def _blame(message: str, members: Any) -> tuple[str, str]:
    """The JSON pointer and the reason from msgspec's message."""
    located = _AT.match(message)
    detail, path = (located["what"], located["path"]) if located else (message, "$")
    pointer = "".join(f"/{name or position}" for name, position in _STEP.findall(path))
    measurements = members.get("measurements") if isinstance(members, dict) else None
    if "/..." in pointer and isinstance(measurements, dict):
        culprit = next((name for name, value in measurements.items() if not _is_measurement(value)), None)
        if culprit is not None:
            pointer = pointer.replace("/...", pointer_to(culprit), 1)
    missing = re.search(r"missing required field `(\w+)`", detail)
    if missing:
        return f"{pointer}/{missing[1]}", f"{missing[1]} is missing"
    name = pointer.strip("/").replace("/", ".")
    detail = _in_words(detail)
    return pointer, f"{name}: {detail}" if name else detail


def _in_words(detail: str) -> str:
    """msgspec's message about a type, without the names that types have in Python."""
    types = _TYPES.match(detail)
    if types is None:
        return detail
    *more, last = (_TYPE_NAMES.get(name, name) for name in types["expected"].split(" | "))
    expected = f"{', '.join(more)} or {last}" if more else last
    return f"expected {expected}, got {_TYPE_NAMES.get(types['found'], types['found'])}"


def _is_measurement(value: object) -> bool:
    try:
        msgspec.convert(value, float | bool | str | Measured)
    except msgspec.ValidationError:
        return False
    return not _is_not_finite(value.get("value") if isinstance(value, dict) else value)


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _not_finite(members: Any) -> str:
    """The pointer to a value or measurement that is written NaN or Infinity, empty if there is none."""
    if not isinstance(members, dict):
        return ""
    for name, value in members.items():
        if _is_not_finite(value):
            return pointer_to(name)
    measurements = members.get("measurements")
    for name, value in measurements.items() if isinstance(measurements, dict) else ():
        if _is_not_finite(value):
            return "/measurements" + pointer_to(name)
        if isinstance(value, dict) and _is_not_finite(value.get("value")):
            return "/measurements" + pointer_to(name) + "/value"
    return ""


def pointer_to(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return "/" + printable(name).replace("~", "~0").replace("/", "~1")
