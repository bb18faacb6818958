"""registry.db: the migrations make what the tables say, and newer files are refused."""

import apsw
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from telemetry_slice.engines.sql.migrate import MIGRATIONS, NewerSchemaError, current, head, revisions, upgrade
from telemetry_slice.engines.sql.registry_tables import registry_metadata
from telemetry_slice.engines.sqlite.dbapi import DRIVER
from telemetry_slice.engines.sqlite.registry import open_registry


def schema(path):
    """What a file's tables are; not by their texts, which a column that was added later spells otherwise."""
    connection = apsw.Connection(str(path))
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_schema"
        " WHERE name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite%' ORDER BY type, name"
    ).fetchall()
    asked = ("table_xinfo", "foreign_key_list", "index_list")
    found = [
        (kind, name, [sorted(row[1:] for row in connection.execute(f"PRAGMA {ask}({name})")) for ask in asked])
        if kind == "table"
        else (kind, name, text)
        for kind, name, text in rows
    ]
    connection.close()
    return found


def test_fresh_is_migrated(tmp_path):
    fresh = create_engine(f"{DRIVER}:///{tmp_path / 'fresh.db'}")
    registry_metadata.create_all(fresh)
    migrated = create_engine(f"{DRIVER}:///{tmp_path / 'migrated.db'}")
    upgrade(migrated, "registry")
    assert schema(tmp_path / "fresh.db") == schema(tmp_path / "migrated.db")
    assert current(migrated) == head("registry")
    for engine in (fresh, migrated):
        engine.dispose()


def test_opening_twice_keeps_what_is_there(tmp_path, clock):
    path = tmp_path / "registry.db"
    for _ in range(2):
        open_registry(path, clock).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_file_is_refused(tmp_path, clock):
    path = tmp_path / "registry.db"
    registry = open_registry(path, clock)
    with registry.database.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    registry.close()
    with pytest.raises(NewerSchemaError, match="9999"):
        open_registry(path, clock)


@pytest.mark.parametrize("history", ["registry", "telemetry"])
def test_the_names_of_the_files_are_the_line_of_revisions(history):
    """What `revisions` reads from names is what Alembic reads from the scripts."""
    scripts = ScriptDirectory(str(MIGRATIONS / history))
    walked = [script.revision for script in scripts.walk_revisions()]
    assert revisions(history) == walked[::-1]
    assert len(scripts.get_heads()) == 1
