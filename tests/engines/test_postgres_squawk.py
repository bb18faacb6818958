"""The SQL that migrations send, as it was sent, read by squawk: nothing that stops those who use a table."""

import shutil
import subprocess
import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
from deploy.local.postgres import install_on
from sqlalchemy import Engine, event
from tests.next_release import next_release

from telemetry_slice.engines.postgres.migrate import migrate
from telemetry_slice.engines.sql.migrate import revisions

ROOT = Path(__file__).parents[2]


def squawk(script):
    """What squawk says of a script, empty when nothing."""
    beside = Path(sys.executable).with_name("squawk")
    program = beside if beside.exists() else shutil.which("squawk")
    assert program, "squawk is not installed (requirements/test.txt)"
    command = [program, "--config", ROOT / ".squawk.toml", "--reporter", "gcc", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout


class Recorder:
    """Writes down what is sent to the database: by revision, (whether within a transaction, statement)."""

    def __init__(self):
        self.revisions = [[]]

    def note(self, connection, _cursor, statement, _parameters, _context, _many):
        first = statement.split(None, 1)[0].upper()
        if first in {"INSERT", "UPDATE"} and " alembic_version " in statement:
            self.revisions.append([])
        elif first != "SELECT" and not statement.lstrip().startswith("CREATE TABLE alembic_version"):
            within = connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT"
            self.revisions[-1].append((within, statement.strip().rstrip(";") + ";"))

    def __enter__(self):
        event.listen(Engine, "before_cursor_execute", self.note)
        return self

    def __exit__(self, *_):
        event.remove(Engine, "before_cursor_execute", self.note)

    def scripts(self, folder):
        """One file a revision. Every session that migrates has the timeout (engines/postgres/migrate.py)."""
        folder.mkdir()
        for number, statements in enumerate(filter(None, self.revisions)):
            lines = ["SET lock_timeout = '5s';"]
            for within, group in groupby(statements, key=itemgetter(0)):
                sent = [statement for _, statement in group]
                lines += ["BEGIN;", *sent, "COMMIT;"] if within else sent
            path = folder / f"{number}.sql"
            path.write_text("\n".join(lines))
            yield path


@pytest.fixture
def empty(postgres_server, monkeypatch):
    """A database with roles and schemas, and nothing in them: the URL of the migration role."""
    monkeypatch.setattr("deploy.local.postgres.migrate", lambda _url, **_options: None)
    return install_on(postgres_server, "squawked").migration_url


def test_no_revision_is_found_fault_with(empty, tmp_path):
    with Recorder() as recorder:
        migrate(empty)
        with next_release(tmp_path / "next"):
            migrate(empty)
    scripts = list(recorder.scripts(tmp_path / "sql"))
    # Those of both histories, and the made-up one.
    assert len(scripts) == sum(len(revisions(history)) for history in ("registry", "telemetry")) + 1
    text = "".join(path.read_text() for path in scripts)
    assert "CREATE TABLE devices" in text
    assert "CREATE TABLE telemetry_events" in text
    assert "CREATE INDEX CONCURRENTLY IF NOT EXISTS dead_letters_note" in text
    assert [said for said in map(squawk, scripts) if said] == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE INDEX dead_letters_note ON dead_letters (note);", "require-concurrent-index-creation"),
        ("ALTER TABLE dead_letters ADD COLUMN note text NOT NULL;", "adding-required-field"),
        ("ALTER TABLE dead_letters ALTER COLUMN reason TYPE varchar(9);", "changing-column-type"),
        ("ALTER TABLE dead_letters RENAME COLUMN reason TO why;", "renaming-column"),
        ("BEGIN; CREATE INDEX CONCURRENTLY n ON dead_letters (reason); COMMIT;", "ban-concurrent-index-creation"),
    ],
)
def test_what_stops_others_is_found(tmp_path, statement, rule):
    script = tmp_path / "bad.sql"
    script.write_text("SET lock_timeout = '5s';\n" + statement)
    assert rule in squawk(script)


def test_a_migration_without_a_lock_timeout_is_found(tmp_path):
    script = tmp_path / "bad.sql"
    script.write_text("ALTER TABLE dead_letters ADD COLUMN note text;")
    assert "require-lock-timeout" in squawk(script)
