"""A JSON body cut into its events, each as its own bytes, whatever is wrong inside of one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import msgspec

from ...model.errors import Code, FieldError, SliceError

_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)
MAX_LINES = 100_000
_WHITE = b" \t\r\n"
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)
_COLON = re.compile(rb"[ \t\r\n]*:")


class _Outer(msgspec.Struct):
    """What tells an envelope from an event."""

    events: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    eventId: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the wire's name, read by itself


_OUTER = msgspec.json.Decoder(_Outer)


def malformed(detail: str) -> SliceError:
    """The refusal of a body that is not JSON."""
    return SliceError(Code.MALFORMED, detail, fields=(FieldError("", detail),))


def split(body: bytes, *, ndjson: bool) -> tuple[str, bool, Sequence[bytes]]:
    """The pointer under which the events stand, whether the body is a single event, and the bytes of each event.

    Raises:
        SliceError: MALFORMED, or INVALID if the body is JSON but neither events nor an event.
    """
    if ndjson:
        return "", False, _lines(body)
    first = body.lstrip(_WHITE)[:1]
    if first == b"[":
        return "", False, _elements(body)
    if first == b"{":
        return _object(body)
    try:
        _RAW.decode(body)
    except msgspec.DecodeError as error:
        raise malformed(str(error)) from None
    raise SliceError(
        Code.INVALID,
        'expected an event, a list of events or {"events": […]}',
        fields=(FieldError("", "expected an object or an array"),),
    )


def _lines(body: bytes) -> list[bytes]:
    """The lines that are not blank."""
    if body.count(b"\n") > MAX_LINES:
        raise SliceError(Code.TOO_LARGE, f"more than {MAX_LINES} lines in one request")
    return [line for line in body.split(b"\n") if line.strip(_WHITE)]


def _elements(array: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in _RAW_LIST.decode(array)]
    except (msgspec.DecodeError, RecursionError):
        # What is wrong with one event is not the matter of its neighbours.
        return [part for _, part in _parts(array)]


def _object(body: bytes) -> tuple[str, bool, Sequence[bytes]]:
    """An envelope or an event."""
    if b"\\u" not in body and (named := body.count(b'"events"')) < 2:
        if not named:
            return "", True, [body]
        try:
            outer = _OUTER.decode(body)
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            if isinstance(outer.events, msgspec.UnsetType) or not isinstance(outer.eventId, msgspec.UnsetType):
                return "", True, [body]
            return "/events", False, _events(bytes(outer.events))
    members: dict[str | None, bytes] = {}
    repeated: str | None = None
    for key, part in _parts(body):
        repeated = key if key in members else repeated
        members[key] = part
    if "events" not in members or "eventId" in members:
        return "", True, [body]
    if repeated is not None:
        # The one that is read could hide the events of the other.
        raise malformed(f"the key {printable(repeated)!r} stands twice in one object")
    return "/events", False, _events(members["events"])


def _events(value: bytes) -> list[bytes]:
    if value.lstrip(_WHITE)[:1] != b"[":
        raise SliceError(Code.INVALID, "events must be an array", fields=(FieldError("/events", "expected an array"),))
    return _elements(value)


def _parts(body: bytes) -> Iterator[tuple[str | None, bytes]]:
    """The outermost members of an object or elements of an array, cut by brackets and commas alone, at any depth.

    Yields (name, or None in an array; bytes of the value). The values themselves are not looked at.

    Raises:
        SliceError: MALFORMED if there is no such cut.
    """
    depth, start, any_before, in_object = 0, 0, False, False
    key: str | None = None
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if mark[:1] == b'"':
            if depth == 1 and in_object and key is None:
                key = _name(mark)
                start = _past_colon(body, token.end())
        elif mark in b"[{":
            depth += 1
            if depth == 1:
                start, in_object = token.end(), mark == b"{"
        elif depth == 1:
            part = body[start : token.start()]
            if part.strip(_WHITE) and (key is not None or not in_object):
                yield key, part
            elif mark == b"," or any_before or key is not None or part.strip(_WHITE):
                raise malformed("a name or a value is missing")
            key, start, any_before = None, token.end(), True
            if mark != b",":
                if body[start:].strip(_WHITE):
                    raise malformed("something follows the end")
                return
        elif mark != b",":
            depth -= 1
    raise malformed("the body ends too early")


def _name(mark: bytes) -> str:
    try:
        name: str = json.loads(mark)
    except ValueError as error:
        raise malformed(f"a name is not text: {error}") from None
    return name


def _past_colon(body: bytes, at: int) -> int:
    colon = _COLON.match(body, at)
    if colon is None:
        raise malformed("a name without a colon")
    return colon.end()


def printable(text: str) -> str:
    """A text that can be echoed in JSON: without lone surrogates, and not longer than an id may be."""
    return text[:128].encode("utf-8", "replace").decode()
