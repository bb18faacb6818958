"""Bringing the schemas of an installation up to date, as the owner of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.sql import Identifier
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ...model.errors import UnavailableError
from ..sql.migrate import upgrade
from .connect import engine
from .roles import OWNER, REGISTRY_SCHEMA, TELEMETRY_SCHEMA, TENANT_SCHEMAS

WAIT_FOR_ANOTHER = "120s"
_LOCK = 7_265_130_917
"""The advisory lock of whoever migrates a database."""


def migrate(url: str, *, with_registry: bool = True) -> None:
    """Run what is missing of the histories, in every schema: the registry's unless the database is a placement, the
    shared telemetry's, those of tenants. `url` signs in as the migration role.

    A second caller waits for the first. A change of a table waits at most 5 s for those who use it, so that nobody
    queues behind it for longer, and fails then: repeat it. A schema of a tenant that fails does not keep the others.

    Raises:
        NewerSchemaError: a newer release has written a schema.
        StillNeededError: a revision takes away what a release that is being served needs.
        UnavailableError: the server cannot be reached or refuses, or a table was in use for too long; the text names
            the schema.
    """
    with _alone(url) as connection:
        if with_registry:
            _upgrade(url, "registry", REGISTRY_SCHEMA)
        _upgrade(url, "telemetry", TELEMETRY_SCHEMA)
        failed = []
        for schema in _tenant_schemas(connection):
            try:
                _upgrade(url, "telemetry", schema)
            except UnavailableError as error:
                failed.append(str(error))
        if failed:
            raise UnavailableError("; ".join(failed))


def make_schema(url: str, schema: str) -> None:
    """Make the tables of a tenant's own, if they are not there yet, and bring them up to date. Raises as `migrate`."""
    with _alone(url) as connection:
        connection.execute(text(f"SET ROLE {OWNER}"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {Identifier(schema).as_string()}"))
        _upgrade(url, "telemetry", schema)


def _tenant_schemas(connection: Connection) -> Sequence[str]:
    asked = text(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, :prefix) AND nspowner = CAST(:owner AS regrole)"
        " ORDER BY nspname"
    )
    return connection.scalars(asked, {"prefix": TENANT_SCHEMAS, "owner": OWNER}).all()


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    """A connection that holds the lock of whoever migrates."""
    guard = engine(url, size=1, options=f"-c lock_timeout={WAIT_FOR_ANOTHER}", isolation_level="AUTOCOMMIT")
    try:
        with guard.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            yield connection
    except DBAPIError as error:
        raise UnavailableError(str(error.orig)) from error
    finally:
        guard.dispose()


def _upgrade(url: str, history: str, schema: str) -> None:
    # As the owner from the start of the session: what is created belongs to it, in this schema.
    path = Identifier(schema).as_string()
    owning = engine(url, size=1, options=f"-c role={OWNER} -c search_path={path} -c lock_timeout=5s")
    try:
        upgrade(owning, history)
    except DBAPIError as error:
        raise UnavailableError(f"schema {schema}: {error.orig}") from error
    finally:
        owning.dispose()
