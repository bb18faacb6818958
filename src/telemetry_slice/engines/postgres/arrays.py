"""Columns as binary arrays of PostgreSQL, packed at once.

psycopg adapts a list item by item in Python; a batch of 5,000 events has 50,000 items. The wire format is fixed
(`array_recv`): dimensions, flags, element type, then each element with its length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain, repeat

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEAD = struct.Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"
_UUID_LENGTH = struct.pack(">i", 16)
_length = struct.Struct(">i").pack
_number = struct.Struct(">id").pack


class Int4s(bytes):
    """An `int4[]`."""


class Int8s(bytes):
    """An `int8[]`."""


class Float8s(bytes):
    """A `float8[]`."""


class Uuids(bytes):
    """A `uuid[]`."""


class Texts(bytes):
    """A `text[]`."""


def _head(count: int, element: int, *, nulls: bool = False) -> bytes:
    return _HEAD.pack(1, nulls, element, count, 1) if count else struct.pack(">iiI", 0, 0, element)


def int4s(values: Sequence[int]) -> Int4s:
    """Raises struct.error for a value out of range."""
    return Int4s(_head(len(values), 23) + _packed("ii", 4, values))


def int8s(values: Sequence[int]) -> Int8s:
    """Raises struct.error for a value out of range."""
    return Int8s(_head(len(values), 20) + _packed("iq", 8, values))


def _packed(element: str, size: int, values: Sequence[float]) -> bytes:
    items = chain.from_iterable(zip(repeat(size), values))
    return struct.pack(">" + element * len(values), *items)


def float8s(values: Sequence[float | None]) -> Float8s:
    """Doubles, None as NULL."""
    if None not in values:
        return Float8s(_head(len(values), 701) + _packed("id", 8, values))  # type: ignore[arg-type]
    items = (_NULL if value is None else _number(8, value) for value in values)
    return Float8s(_head(len(values), 701, nulls=True) + b"".join(items))


def uuids(values: Sequence[bytes]) -> Uuids:
    """Keys of 16 bytes."""
    items = chain.from_iterable(zip(repeat(_UUID_LENGTH), values))
    return Uuids(_head(len(values), 2950) + b"".join(items))


def texts(values: Sequence[str | None]) -> Texts:
    """Texts, None as NULL. Raises UnicodeEncodeError for a lone surrogate."""
    if not any(value is not None for value in values):
        return Texts(_head(len(values), 25, nulls=True) + _NULL * len(values))
    items = []
    for value in values:
        if value is None:
            items.append(_NULL)
        else:
            encoded = value.encode()
            items += (_length(len(encoded)), encoded)
    return Texts(_head(len(values), 25, nulls=True) + b"".join(items))


def _dumper(array: int) -> type[Dumper]:
    class Packed(Dumper):
        format = Format.BINARY
        oid = array

        def dump(self, obj: bytes) -> bytes:
            return obj

    return Packed


_DUMPERS = {Int4s: 1007, Int8s: 1016, Float8s: 1022, Uuids: 2951, Texts: 1009}


def register(adapters: AdaptersMap) -> None:
    """Let a connection send the arrays of this module."""
    for kind, array in _DUMPERS.items():
        adapters.register_dumper(kind, _dumper(array))
