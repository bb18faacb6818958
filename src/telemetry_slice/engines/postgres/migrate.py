"""Bringing the schemas of an installation up to date, as the owner of its tables."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ...model.errors import UnavailableError
from ..sql.migrate import upgrade
from .connect import engine
from .roles import OWNER, REGISTRY_SCHEMA, TELEMETRY_SCHEMA

WAIT_FOR_ANOTHER = "120s"
_LOCK = 7_265_130_917
"""The advisory lock of whoever migrates a database."""


def migrate(url: str) -> None:
    """Run what is missing of both histories; `url` signs in as the migration role.

    A second caller waits for the first. A change of a table waits at most 5 s for those who use it, so that nobody
    queues behind it for longer, and fails then: repeat it.

    Raises:
        NewerSchemaError: a newer release has written the database.
        StillNeededError: a revision takes away what a release that is being served needs.
        UnavailableError: the server refuses, or a table was in use for too long; the text names the schema.
    """
    guard = engine(url, size=1, options=f"-c lock_timeout={WAIT_FOR_ANOTHER}", isolation_level="AUTOCOMMIT")
    try:
        with guard.connect() as waiting:
            waiting.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            for history, schema in (("registry", REGISTRY_SCHEMA), ("telemetry", TELEMETRY_SCHEMA)):
                _upgrade(url, history, schema)
    finally:
        guard.dispose()


def _upgrade(url: str, history: str, schema: str) -> None:
    # As the owner from the start of the session: what is created belongs to it, in this schema.
    owning = engine(url, size=1, options=f"-c role={OWNER} -c search_path={schema} -c lock_timeout=5s")
    try:
        upgrade(owning, history)
    except DBAPIError as error:
        raise UnavailableError(f"schema {schema}: {error.orig}") from error
    finally:
        owning.dispose()
