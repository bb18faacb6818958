"""What is wrong with a database: asked by `tslice doctor`, with the rights of the roles that serve."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from ...model.errors import UnavailableError
from ...model.times import DAY_US
from ..sql.migrate import head
from .connect import CONNECT
from .identity import WEEK_MS
from .roles import API, MIGRATION, OWNER, REGISTRY_SCHEMA, TELEMETRY_SCHEMA, WRITER

OLDEST = 150_000
SKEW_US = 5_000_000
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
OUTSIDE = ("alembic_version", "erasures", "first_run_offers", "sessions", "signing_keys", "tenants")
"""Tables of the registry that belong to no tenant and no person, or by which these are found (docs/adr/0016)."""
# Asked of the catalog: a name in a schema that the role may not use is an error.
_HAS_TABLE = (
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = %s AND relname = %s"
)
_UNWALLED = f"""
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = %s
    WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
        AND CASE n.nspname
            WHEN '{REGISTRY_SCHEMA}' THEN c.relname <> ALL (%s)
            ELSE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_no') END
        AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
            SELECT FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
            WHERE p.polrelid = c.oid AND r.rolname = %s AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL
        ))
    ORDER BY c.relname
"""
_TOO_MIGHTY = (
    "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) AND (rolsuper OR rolbypassrls OR rolcreaterole) ORDER BY 1"
)


Problem = tuple[str, str]
"""What is wrong, and what to do."""


def examine(api_url: str, writer_url: str, databases: Collection[str]) -> list[Problem]:
    """The problems of the installation's own database, none when all is well: of registry, shared tables, and tenants'
    own schemas. `databases` are the names of the placement databases that the settings know.
    """
    problems: list[Problem] = []
    schemas = [TELEMETRY_SCHEMA]

    def registry(connection: psycopg.Connection) -> Iterator[Problem]:
        behind = list(_revision(connection, "registry", REGISTRY_SCHEMA))
        yield from behind
        if not behind:
            yield from _walls(connection, REGISTRY_SCHEMA)
            schemas.extend(_placed(connection, "placement_schema"))
            for name in _placed(connection, "placement_database"):
                if name not in databases:
                    yield f"tenants are placed in the database {name!r}", "name it in TSLICE_PLACEMENT_DATABASES"

    problems += _as_role(API, api_url, registry)
    problems += _as_role(WRITER, writer_url, lambda connection: _telemetry(connection, schemas))
    return problems


def examine_placement(api_url: str, writer_url: str) -> list[Problem]:
    """The same of a placement database."""
    return [
        *_as_role(API, api_url, lambda _: ()),
        *_as_role(WRITER, writer_url, lambda connection: _telemetry(connection, [TELEMETRY_SCHEMA])),
    ]


def schema_problems(url: str, schema: str) -> list[Problem]:
    """What keeps tenants from being placed in a schema. Raises UnavailableError."""
    try:
        with psycopg.connect(url, autocommit=True, **CONNECT) as connection:
            return list(_revision(connection, "telemetry", schema))
    except psycopg.Error as error:
        raise UnavailableError(str(error)) from error


def _placed(connection: psycopg.Connection, column: LiteralString) -> list[str]:
    asked = f"SELECT DISTINCT {column} FROM {REGISTRY_SCHEMA}.tenants WHERE {column} IS NOT NULL ORDER BY 1"
    return [name for (name,) in connection.execute(asked)]


def _as_role(role: str, url: str, look: Callable[[psycopg.Connection], Iterable[Problem]]) -> list[Problem]:
    problems: list[Problem] = []
    try:
        with psycopg.connect(url, autocommit=True, **CONNECT) as connection:
            user = _one(connection, "SELECT current_user")
            if user != role:
                problems.append(
                    (
                        f"the address of {role} signs in as {user}",
                        "name the role's own address: `tslice migrate` makes it",
                    )
                )
            problems += look(connection)
    except psycopg.Error as error:
        first = str(error).strip().splitlines()[0]
        problems.append((f"{role} cannot use it: {first}", "look at its address, and at the server's log"))
    return problems


def _telemetry(connection: psycopg.Connection, schemas: Iterable[str]) -> Iterator[Problem]:
    if connection.info.server_version < OLDEST:
        yield f"PostgreSQL {connection.info.server_version // 10_000} is too old", "use 15 or newer"
    for name in _DURABLE:
        if _one(connection, "SELECT current_setting(%s)", name) == "off":
            yield f"{name} is off: what is acknowledged may be lost", f"switch {name} on"
    for schema in schemas:
        yield from _revision(connection, "telemetry", schema)
        yield from _partitions(connection, schema)
        yield from _walls(connection, schema)
    for (name,) in connection.execute(_TOO_MIGHTY, ([OWNER, MIGRATION, API, WRITER],)).fetchall():
        yield f"the role {name} could pass by row security", f"ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS NOCREATEROLE"
    skew_us = abs(time.time_ns() // 1000 - int(_one(connection, "SELECT extract(epoch FROM clock_timestamp()) * 1e6")))
    if skew_us > SKEW_US:
        yield f"its clock and this machine's differ by {skew_us / 1e6:.0f} s", "let both use NTP"


def _revision(connection: psycopg.Connection, history: str, schema: str) -> Iterator[Problem]:
    if not _one(connection, _HAS_TABLE, schema, "alembic_version"):
        yield f"the schema {schema} is empty", "run `tslice migrate`"
        return
    present = _one(connection, SQL("SELECT version_num FROM {}.alembic_version").format(Identifier(schema)))
    if present != head(history):
        yield f"schema {schema} {present}, this release has {head(history)}", "run `tslice migrate`"


def _partitions(connection: psycopg.Connection, schema: str) -> Iterator[Problem]:
    # An event of tomorrow must find its partition.
    tomorrow_us = time.time_ns() // 1000 + DAY_US
    month = time.strftime("%Y_%m", time.gmtime(tomorrow_us / 1e6))
    for name in (f"telemetry_events_{month}", f"event_ledger_w{tomorrow_us // 1000 // WEEK_MS}"):
        if not _one(connection, _HAS_TABLE, schema, name):
            yield f"the partition {schema}.{name} is missing", "run a scheduler: `tslice serve --role scheduler`"


def _walls(connection: psycopg.Connection, schema: str) -> Iterator[Problem]:
    for (name,) in connection.execute(_UNWALLED, (schema, list(OUTSIDE), API)).fetchall():
        yield (
            f"{schema}.{name} has no forced row security for {API}",
            "restore it: nothing else may change these tables",
        )


def _one(connection: psycopg.Connection, query: Any, *values: object) -> Any:
    row = connection.execute(query, values or None).fetchone()
    return None if row is None else row[0]
