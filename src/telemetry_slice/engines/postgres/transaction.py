"""One transaction of the store: bound to its tenants, with its errors told apart."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import Identifier

from ...model.errors import DataError, UnavailableError
from .roles import TELEMETRY_SCHEMA

_DATA_CLASSES = frozenset({"22", "23", "54"})
"""SQLSTATE classes that speak of values: data exception, integrity constraint, limit of the program exceeded."""
_CHECK_VIOLATION = "23514"
"""No check constraint is ours: this one says that no partition takes the row, which is no fault of the row."""


_BEGIN = "SELECT set_config('app.tenants', %s, true), set_config('search_path', %s, true)"


class Session(Connection[tuple[Any, ...]]):
    """A connection, and the schema in which its transactions look for their tables."""

    schema = TELEMETRY_SCHEMA


@contextmanager
def transaction(connection: Session, tenants: Iterable[int], *, commit: bool = True) -> Iterator[None]:
    """A transaction on the session's schema that sees and changes rows of `tenants` only.

    It is rolled back on an exception or without `commit`.
    Schema and tenants are set for this transaction alone: behind a pooler the next one may be anybody's.
    """
    try:
        names = ",".join(map(str, sorted(set(tenants))))
        connection.execute(_BEGIN, (names, Identifier(connection.schema).as_string()))
        yield
        if commit:
            connection.commit()
        else:
            connection.rollback()
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise


def as_store_error(error: Exception) -> Exception:
    """The error of `model.errors` that an error of a transaction means; itself where it is a defect of ours."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, (UnicodeError, struct.error, OverflowError)):
        return DataError(text)
    if not isinstance(error, psycopg.Error):
        return error
    if error.sqlstate is None:
        # psycopg's own: a value that it cannot send, a connection that is gone, or a defect of ours.
        if isinstance(error, psycopg.DataError):
            return DataError(text)
        return UnavailableError(text) if isinstance(error, psycopg.OperationalError) else error
    if error.sqlstate[:2] in _DATA_CLASSES and error.sqlstate != _CHECK_VIOLATION:
        return DataError(text)
    return UnavailableError(text)
