"""Bringing a schema up to date with Alembic, from within the program: no ini file, no env.py.

Revisions are named by their files, `0001_….py`, in one line without branches. Whether anything is missing is told by
the names alone: Alembic itself, slow to import, is only loaded when there is something to do.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

MIGRATIONS = Path(__file__).with_name("migrations")


class NewerSchemaError(Exception):
    """The database was written by a newer release than this one."""


def revisions(history: str) -> list[str]:
    """The revisions of a history (a folder of `migrations/`), oldest first."""
    found = sorted(path.name.split("_", 1)[0] for path in (MIGRATIONS / history / "versions").glob("[0-9]*_*.py"))
    if not found:
        raise ValueError(f"history {history} has no revision")
    return found


def head(history: str) -> str:
    """The newest revision of a history."""
    return revisions(history)[-1]


def current(engine: Engine) -> str | None:
    """The revision of a database, None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def upgrade(engine: Engine, history: str, target: str = "head") -> None:
    """Run what is missing, in one transaction.

    Raises NewerSchemaError if the database has a revision that this release does not know.
    """
    present = current(engine)
    if present is not None and present not in revisions(history):
        raise NewerSchemaError(
            f"{history}: revision {present} is newer than this release (which knows {head(history)})"
        )
    if target != "head" or present != head(history):
        _run(engine, history, target)


def _run(engine: Engine, history: str, target: str) -> None:
    from alembic.config import Config  # noqa: PLC0415 - slow, and rarely needed
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS / history).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
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
