"""Bringing a schema up to date with Alembic, from within the program: no ini file, no env.py.

Revisions are named by their files, `0001_….py`, in one line without branches. Whether anything is missing is told by
the names alone: Alembic itself, slow to import, is only loaded when there is something to do.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

MIGRATIONS = Path(__file__).with_name("migrations")


RELEASE = "tslice"
"""How the `application_name` of every connection begins; the heads of the histories that its release knows follow."""


class NewerSchemaError(Exception):
    """The database was written by a newer release than this one."""


class StillNeededError(Exception):
    """What a revision takes away is needed: by a release that is being served, or by a backfill."""


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
    """Run what is missing, each revision in one transaction.

    Raises:
        NewerSchemaError: the database has a revision that this release does not know.
        StillNeededError: a revision takes away what is still needed; those before it have been run.
    """
    present = current(engine)
    if present is not None and present not in revisions(history):
        raise NewerSchemaError(
            f"{history}: revision {present} is newer than this release (which knows {head(history)})"
        )
    if target != "head" or present != head(history):
        _run(engine, history, target)


def release_name() -> str:
    """What this release calls itself to a database."""
    histories = sorted(path.parent.name for path in MIGRATIONS.glob("*/versions"))
    return " ".join([RELEASE, *(f"{history}-{head(history)}" for history in histories)])


def refuse_while_needed(connection: Connection, history: str, since: str) -> None:
    """To be called first by a revision that takes something away which releases from `since` on do not use.

    Every process names its release on its connections: that is what tells whether anybody still uses the old. On SQLite
    there is nobody but the caller.

    Raises StillNeededError: an older release is connected to the database, or a backfill has rows left.
    """
    if connection.dialect.name == "sqlite":
        return
    older = connection.scalars(
        text(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename <> session_user"
            " AND starts_with(application_name, :release)"
            " AND substring(application_name FROM :known) < :since ORDER BY 1"
        ),
        {"release": f"{RELEASE} ", "known": rf"{history}-(\w+)", "since": since},
    ).all()
    if older:
        raise StillNeededError(f"an older release is being served ({', '.join(older)}): restart its processes first")
    if connection.scalar(text("SELECT to_regclass('backfills')")) is None:
        # The registry has none: it is small enough to be filled in by the revision itself.
        return
    for name in connection.scalars(text("SELECT name FROM backfills ORDER BY name")).all():
        if connection.execute(text(f'SELECT "{name}"(1)')).scalar_one():
            raise StillNeededError(f"the backfill {name} has rows left: let a scheduler run, and repeat this")


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
        environment.configure(connection=connection, transactional_ddl=True, transaction_per_migration=True)
        with environment.begin_transaction():
            environment.run_migrations()
        connection.commit()
