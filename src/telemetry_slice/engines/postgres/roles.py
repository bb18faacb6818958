"""Roles, schemas and the database, made once by an administrator before the first migration.

| role | can | is used by |
|---|---|---|
| `tslice_owner` | owns every table; nobody signs in as it | migrations, functions that make partitions |
| `tslice_migration` | become the owner | `tslice migrate` |
| `tslice_api` | read one tenant's telemetry (`app.tenant`), change the registry | API processes |
| `tslice_writer` | append for the tenants of its batch (`app.tenants`) | writers, scheduler, dead letters |

None is a superuser, none may pass by row-level security, and those that serve own nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Composable, Identifier, Literal

from ...model.errors import UnavailableError
from .connect import CONNECT

OWNER = "tslice_owner"
MIGRATION = "tslice_migration"
API = "tslice_api"
WRITER = "tslice_writer"
SIGN_IN = (MIGRATION, API, WRITER)

REGISTRY_SCHEMA = "registry"
TELEMETRY_SCHEMA = "telemetry"
TENANT_SCHEMAS = "tenant_"
"""What the names of tenants' own schemas begin with."""
LONGEST_NAME = 63
"""Bytes of a name that the server keeps; what is longer it cuts off without a word."""

SCHEMAS = (REGISTRY_SCHEMA, TELEMETRY_SCHEMA)

# Kept by the server for each role, so that they hold through a pooler that shares connections, too.
_ROLE_SETTINGS: Mapping[str, Mapping[str, str]] = {
    API: {
        "search_path": f"{REGISTRY_SCHEMA}, {TELEMETRY_SCHEMA}",
        "statement_timeout": "20s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "30s",
        "client_connection_check_interval": "1s",
    },
    WRITER: {
        "search_path": TELEMETRY_SCHEMA,
        "statement_timeout": "20s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "20s",
        "client_connection_check_interval": "1s",
    },
}


def schema_of(tenant_id: str) -> str:
    """The name of a tenant's own schema. Raises ValueError if the tenant's id is too long for it."""
    name = TENANT_SCHEMAS + tenant_id
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(
            f"of a tenant with a schema of its own the id has at most {LONGEST_NAME - len(TENANT_SCHEMAS)} characters"
        )
    return name


def install_named(admin_url: str, urls: Mapping[str, str], schemas: Sequence[str] = SCHEMAS) -> None:
    """`install` what the roles' own `urls` (by role) speak of: their passwords and their database.

    Raises:
        ValueError: a URL has another user, no password, or another database than the rest.
        UnavailableError: the server cannot be reached, or refuses.
    """
    passwords: dict[str, str] = {}
    databases: set[str] = set()
    for role, url in urls.items():
        given = conninfo_to_dict(url)
        if given.get("user") != role or not given.get("password") or not given.get("dbname"):
            raise ValueError(f"the address of {role} must be postgresql://{role}:PASSWORD@HOST/DATABASE")
        passwords[role] = str(given["password"])
        databases.add(str(given["dbname"]))
    if len(databases) != 1:
        raise ValueError(f"the roles' addresses name several databases: {', '.join(sorted(databases))}")
    try:
        install(admin_url, databases.pop(), passwords, schemas)
    except psycopg.Error as error:
        raise UnavailableError(f"roles and database cannot be made: {error}") from error


def install(admin_url: str, database: str, passwords: Mapping[str, str], schemas: Sequence[str] = SCHEMAS) -> None:
    """Make what is missing of roles, database and `schemas`; `passwords` has one for each role of `SIGN_IN`.

    `admin_url` belongs to a role that may create roles and databases. Repeating it changes passwords and settings.
    """
    with psycopg.connect(admin_url, autocommit=True, **CONNECT) as admin:
        _roles(admin, passwords)
        if not _exists(admin, "SELECT FROM pg_database WHERE datname = %s", database):
            _run(
                admin,
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
                Identifier(database),
                Identifier(OWNER),
            )
        _run(admin, "REVOKE ALL ON DATABASE {} FROM PUBLIC", Identifier(database))
        for role in SIGN_IN:
            _run(admin, "GRANT CONNECT ON DATABASE {} TO {}", Identifier(database), Identifier(role))
        for role, settings in _ROLE_SETTINGS.items():
            for name, value in settings.items():
                # search_path is a list of names, the others are texts.
                given = SQL(value) if name == "search_path" else Literal(value)
                _run(
                    admin,
                    "ALTER ROLE {} IN DATABASE {} SET {} = {}",
                    *(Identifier(role), Identifier(database), Identifier(name), given),
                )
    with psycopg.connect(admin_url, dbname=database, autocommit=True, **CONNECT) as admin:
        _run(admin, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for schema in schemas:
            _run(admin, "CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}", Identifier(schema), Identifier(OWNER))


def _roles(admin: psycopg.Connection, passwords: Mapping[str, str]) -> None:
    for role in (OWNER, *SIGN_IN):
        if not _exists(admin, "SELECT FROM pg_roles WHERE rolname = %s", role):
            _run(admin, "CREATE ROLE {}", Identifier(role))
    for role in SIGN_IN:
        _run(
            admin,
            "ALTER ROLE {} LOGIN NOINHERIT NOCREATEROLE NOCREATEDB PASSWORD {}",
            Identifier(role),
            Literal(passwords[role]),
        )
    _run(admin, "GRANT {} TO {}", Identifier(OWNER), Identifier(MIGRATION))
    # An administrator who is no superuser can hand the database over only to a role that it can become.
    _run(admin, "GRANT {} TO CURRENT_USER", Identifier(OWNER))


def _exists(admin: psycopg.Connection, query: LiteralString, name: str) -> bool:
    return admin.execute(query, (name,)).fetchone() is not None


def _run(admin: psycopg.Connection, statement: LiteralString, *parts: Composable) -> None:
    admin.execute(SQL(statement).format(*parts))
