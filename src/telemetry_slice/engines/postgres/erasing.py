"""Erasing a tenant's telemetry from PostgreSQL, with the rights of the roles that serve. These calls block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg.sql import SQL, Identifier

from ...model.errors import UnavailableError
from ...model.events import TenantNo
from ...model.placement import Placement
from .connect import CONNECT
from .roles import TELEMETRY_SCHEMA
from .transaction import Session, transaction

AT_ONCE = 10_000
# Whole tables are counted, and large files are removed.
_PATIENT = "SET LOCAL statement_timeout = '1h'"
_PARTS: Mapping[str, tuple[str, ...]] = {
    "series": ("series",),
    "readings": ("telemetry_events",),
    "claims": ("event_ledger",),
    "letters": ("dead_letters",),
    "counts": ("book_counts", "book_totals"),
    "announced": ("gate_totals", "gate_minutes"),
}


@contextmanager
def _as_writer(url: str, placement: Placement, tenant: TenantNo) -> Iterator[Session]:
    """A patient transaction of the writer role on the tables of a placement, which sees one tenant."""
    try:
        with Session.connect(url, **CONNECT) as connection:
            connection.schema = placement.schema or TELEMETRY_SCHEMA
            with transaction(connection, [tenant]):
                connection.execute(_PATIENT)
                yield connection
    except psycopg.Error as error:
        raise UnavailableError(str(error)) from error


def count(url: str, placement: Placement, tenant: TenantNo) -> dict[str, int]:
    """Rows of a tenant in each part. Raises UnavailableError."""
    with _as_writer(url, placement, tenant) as connection:
        return {part: sum(_rows(connection, name, tenant) for name in names) for part, names in _PARTS.items()}


def _rows(connection: Session, name: str, tenant: TenantNo) -> int:
    if not _is_there(connection, connection.schema):
        return 0
    asked = SQL("SELECT count(*) FROM {} WHERE tenant_no = %s").format(Identifier(connection.schema, name))
    row = connection.execute(asked, (tenant,)).fetchone()
    return int(row[0]) if row else 0


def _is_there(connection: Session, schema: str) -> bool:
    return connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is not None


def erase_some(url: str, placement: Placement, tenant: TenantNo) -> int:
    """Delete some rows of a tenant from tables that it shares; how many. Raises UnavailableError."""
    with _as_writer(url, placement, tenant) as connection:
        row = connection.execute("SELECT erase_tenant_rows(%s, %s)", (tenant, AT_ONCE)).fetchone()
    return int(row[0]) if row else 0


def drop_schema(api_url: str, tenant: TenantNo) -> bool:
    """Drop the schema of a tenant that is being erased; whether it was there. Raises UnavailableError."""
    try:
        with psycopg.connect(api_url, **CONNECT) as connection:
            connection.execute(_PATIENT)
            row = connection.execute("SELECT registry.drop_erased_schema(%s)", (tenant,)).fetchone()
    except psycopg.Error as error:
        raise UnavailableError(str(error)) from error
    return bool(row and row[0])
