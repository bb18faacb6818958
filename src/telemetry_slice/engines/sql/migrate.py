"""Bringing a schema up to date with Alembic, from within the program: no ini file, no env.py."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).with_name("migrations")


class NewerSchemaError(Exception):
    """The database was written by a newer release than this one."""


def _scripts(history: str) -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS / history).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def head(history: str) -> str:
    """The newest revision of a history (a folder of `migrations/`)."""
    revision = _scripts(history)[1].get_current_head()
    if revision is None:
        raise ValueError(f"history {history} has no revision")
    return revision


def current(engine: Engine) -> str | None:
    """The revision of a database, None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, history: str, target: str = "head") -> None:
    """Run what is missing, in one transaction.

    Raises NewerSchemaError if the database has a revision that this release does not know.
    """
    config, scripts = _scripts(history)
    present = current(engine)
    if present is not None and present not in {script.revision for script in scripts.walk_revisions()}:
        raise NewerSchemaError(
            f"{history}: revision {present} is newer than this release (which knows {head(history)})"
        )
    if target == "head" and present == scripts.get_current_head():
        return
    with (
        EnvironmentContext(
            config,
            scripts,
            fn=lambda revision, _context: scripts._upgrade_revs(target, revision),  # noqa: SLF001
        ) as environment,
        engine.connect() as connection,
    ):
        # The dialects in use can roll DDL back; Alembic assumes the contrary of SQLite.
        environment.configure(connection=connection, transactional_ddl=True)
        with environment.begin_transaction():
            environment.run_migrations()
        connection.commit()
