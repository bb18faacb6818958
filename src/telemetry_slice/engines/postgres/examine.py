"""What is wrong with a database: asked by `tslice doctor`, with the rights of the roles that serve."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg

from ...model.times import DAY_US
from ..sql.migrate import head
from .connect import CONNECT
from .identity import WEEK_MS
from .roles import API, MIGRATION, OWNER, REGISTRY_SCHEMA, TELEMETRY_SCHEMA, WRITER

OLDEST = 150_000
SKEW_US = 5_000_000
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
OUTSIDE = ("alembic_version", "first_run_offers", "sessions", "tenants")
"""Tables of the registry that belong to no tenant and no person, or by which these are found (docs/adr/0016)."""
_UNWALLED = f"""
    SELECT c.relname FROM pg_class c
    WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
        AND CASE c.relnamespace
            WHEN '{TELEMETRY_SCHEMA}'::regnamespace
            THEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_no')
            WHEN '{REGISTRY_SCHEMA}'::regnamespace THEN c.relname <> ALL (%s)
            ELSE false END
        AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
            SELECT FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
            WHERE p.polrelid = c.oid AND r.rolname = '{API}' AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL
        ))
    ORDER BY c.relname
"""
_TOO_MIGHTY = (
    "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) AND (rolsuper OR rolbypassrls OR rolcreaterole) ORDER BY 1"
)


def examine(api_url: str, writer_url: str) -> list[tuple[str, str]]:
    """(what is wrong, what to do) for each thing that is; empty when all is well."""
    problems: list[tuple[str, str]] = []
    for role, url in ((API, api_url), (WRITER, writer_url)):
        try:
            with psycopg.connect(url, autocommit=True, **CONNECT) as connection:
                problems += _as_role(connection, role)
        except psycopg.Error as error:
            first = str(error).strip().splitlines()[0]
            problems.append((f"{role} cannot use it: {first}", "look at its address, and at the server's log"))
    return problems


def _as_role(connection: psycopg.Connection, role: str) -> Iterator[tuple[str, str]]:
    user = _one(connection, "SELECT current_user")
    if user != role:
        yield f"the address of {role} signs in as {user}", "name the role's own address: `tslice migrate` makes it"
    if role == API:
        yield from _revision(connection, "registry", REGISTRY_SCHEMA)
        return
    if connection.info.server_version < OLDEST:
        yield f"PostgreSQL {connection.info.server_version // 10_000} is too old", "use 15 or newer"
    for name in _DURABLE:
        if _one(connection, "SELECT current_setting(%s)", name) == "off":
            yield f"{name} is off: what is acknowledged may be lost", f"switch {name} on"
    yield from _revision(connection, "telemetry", TELEMETRY_SCHEMA)
    yield from _partitions(connection)
    yield from _walls(connection)
    skew_us = abs(time.time_ns() // 1000 - int(_one(connection, "SELECT extract(epoch FROM clock_timestamp()) * 1e6")))
    if skew_us > SKEW_US:
        yield f"its clock and this machine's differ by {skew_us / 1e6:.0f} s", "let both use NTP"


def _revision(connection: psycopg.Connection, history: str, schema: str) -> Iterator[tuple[str, str]]:
    if _one(connection, "SELECT to_regclass(%s)", f"{schema}.alembic_version") is None:
        yield f"the schema {schema} is empty", "run `tslice migrate`"
        return
    present = _one(connection, f"SELECT version_num FROM {schema}.alembic_version")
    if present != head(history):
        yield f"schema {schema} {present}, this release has {head(history)}", "run `tslice migrate`"


def _partitions(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    # An event of tomorrow must find its partition.
    tomorrow_us = time.time_ns() // 1000 + DAY_US
    month = time.strftime("%Y_%m", time.gmtime(tomorrow_us / 1e6))
    for name in (f"telemetry_events_{month}", f"event_ledger_w{tomorrow_us // 1000 // WEEK_MS}"):
        if _one(connection, "SELECT to_regclass(%s)", f"{TELEMETRY_SCHEMA}.{name}") is None:
            yield f"the partition {name} is missing", "run a scheduler: `tslice serve --role scheduler`"


def _walls(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    for (name,) in connection.execute(_UNWALLED, (list(OUTSIDE),)).fetchall():
        yield f"{name} has no forced row security for {API}", "restore it: nothing else may change these tables"
    for (name,) in connection.execute(_TOO_MIGHTY, ([OWNER, MIGRATION, API, WRITER],)).fetchall():
        yield f"the role {name} could pass by row security", f"ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS NOCREATEROLE"


def _one(connection: psycopg.Connection, query: Any, *values: object) -> Any:
    row = connection.execute(query, values or None).fetchone()
    return None if row is None else row[0]
