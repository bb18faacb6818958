"""Columns as binary arrays of PostgreSQL, packed at once.

psycopg adapts a list item by item in Python; a batch of 5,000 events has 50,000 items. The wire format is fixed
(`array_recv`): dimensions, flags, element type, then each element with its length.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEAD = struct.Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"
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


def _spaced(items: bytes, size: int) -> bytearray:
    """`items` of `size` bytes each, every one behind its length. Lane by lane: a few copies instead of a loop."""
    stride = 4 + size
    count = len(items) // size
    out = bytearray(stride * count)
    out[3::stride] = bytes((size,)) * count
    for lane in range(size):
        out[4 + lane :: stride] = items[lane::size]
    return out


def _big_endian(code: str, values: Iterable[float]) -> bytes:
    packed = array(code, values)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def int4s(values: Sequence[int]) -> Int4s:
    """Raises OverflowError for a value out of range."""
    return Int4s(_head(len(values), 23) + _spaced(_big_endian("i", values), 4))


def int8s(values: Sequence[int]) -> Int8s:
    """Raises OverflowError for a value out of range."""
    return Int8s(_head(len(values), 20) + _spaced(_big_endian("q", values), 8))


def int4_runs(runs: Sequence[tuple[int, int]]) -> Int4s:
    """As `int4s`, of (value, how many times)."""
    items = b"".join(struct.pack(">ii", 4, value) * count for value, count in runs)
    return Int4s(_head(len(items) // 8, 23) + items)


def int8_runs(runs: Sequence[tuple[int, int]]) -> Int8s:
    """As `int8s`, of (value, how many times)."""
    items = b"".join(struct.pack(">iq", 8, value) * count for value, count in runs)
    return Int8s(_head(len(items) // 12, 20) + items)


def float8s(values: Sequence[float | None]) -> Float8s:
    """Doubles, None as NULL."""
    try:
        return Float8s(_head(len(values), 701) + _spaced(_big_endian("d", values), 8))  # type: ignore[arg-type]
    except TypeError:
        items = (_NULL if value is None else _number(8, value) for value in values)
        return Float8s(_head(len(values), 701, nulls=True) + b"".join(items))


def uuids(values: Sequence[bytes]) -> Uuids:
    """Keys of 16 bytes."""
    return Uuids(_head(len(values), 2950) + _spaced(b"".join(values), 16))


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
    for kind, oid in _DUMPERS.items():
        adapters.register_dumper(kind, _dumper(oid))
