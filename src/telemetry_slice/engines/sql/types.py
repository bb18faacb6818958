"""Column types that the databases spell differently."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Dialect, LargeBinary, Text, Uuid
from sqlalchemy.types import TypeDecorator


class _KeyAsUuid(TypeDecorator[bytes]):
    """16 bytes as PostgreSQL's `uuid`: 8 bytes less per row and index entry than `bytea`, in the same order."""

    impl = Uuid
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> UUID | None:  # noqa: ARG002
        return None if value is None else UUID(bytes=bytes(value))

    def process_result_value(self, value: UUID | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else value.bytes


EVENT_KEY = LargeBinary(16).with_variant(_KeyAsUuid(), "postgresql")
"""The 16 bytes of an event key, in the order of bytes."""

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of code points, whatever the locale of the database."""
