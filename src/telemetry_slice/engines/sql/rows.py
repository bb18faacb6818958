"""Fetching rows from a thread beside a busy event loop.

Stepping through an SQLite cursor gives up the GIL and takes it back at every row: beside a busy event loop that is a
convoy of seconds for a thousand rows. There a whole result therefore comes back as one row, one JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, Select, func, select

_decode = msgspec.json.Decoder(list[list[Any]]).decode
_decode_column = msgspec.json.Decoder(list[Any]).decode


def fetch_rows(
    connection: Connection, statement: Select[Any], parameters: Mapping[str, Any] | None = None
) -> list[list[Any]]:
    """The rows of `statement`, in its order where it has a limit. Numbers keep every bit, bytes come back as bytes."""
    if connection.dialect.name != "sqlite":
        return [list(row) for row in connection.execute(statement, parameters)]
    inner = statement.subquery()
    binary = [index for index, column in enumerate(inner.c) if isinstance(column.type, LargeBinary)]
    cells = [func.hex(column) if isinstance(column.type, LargeBinary) else column for column in inner.c]
    whole = select(func.json_group_array(func.json_array(*cells)))
    rows = _decode(connection.execute(whole, parameters).scalar_one())
    for index in binary:
        for row in rows:
            row[index] = bytes.fromhex(row[index])
    return rows


def fetch_columns(connection: Connection, statement: Select[Any]) -> list[list[Any]]:
    """The rows of `statement`, which has a limit, as columns in its order; binary columns are left out."""
    inner = statement.subquery()
    kept = [column for column in inner.c if not isinstance(column.type, LargeBinary)]
    if connection.dialect.name != "sqlite":
        rows = connection.execute(select(*kept)).fetchall()
        return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in kept]
    whole = select(*(func.json_group_array(column) for column in kept))
    return [_decode_column(text) for text in connection.execute(whole).one()]
