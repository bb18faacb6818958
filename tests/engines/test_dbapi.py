"""apsw as a DB-API module and SQLAlchemy dialect."""

import os
import subprocess
import sys
import threading

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, create_engine, exc, select, text

from telemetry_slice.engines.sqlite import dbapi

METADATA = MetaData()
THINGS = Table(
    "things",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, unique=True),
    Column("data", LargeBinary),
)
CHILDREN = Table("children", METADATA, Column("thing", Integer))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file with space % ä.db"


@pytest.fixture
def engine(path):
    made = create_engine(f"{dbapi.DRIVER}:///{path}")
    METADATA.create_all(made)
    yield made
    made.dispose()


def test_pragmas(path):
    for writing in (True, False):
        connection = dbapi.connect(str(path), writing=writing)
        cursor = connection.cursor()
        found = [
            cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        assert found == ["wal", 2, 1]
        connection.close()


def test_rows_and_counts(engine):
    with engine.begin() as connection:
        first = connection.execute(THINGS.insert().values(name="a", data=b"\x00\xff"))
        assert (first.inserted_primary_key[0], first.rowcount) == (1, 1)
        assert connection.execute(THINGS.insert(), [{"name": str(n)} for n in range(5)]).rowcount == 5
        assert connection.execute(THINGS.update().where(THINGS.c.name < "3").values(data=b"x")).rowcount == 3
        assert connection.execute(THINGS.update().where(THINGS.c.name == "z").values(data=b"x")).rowcount == 0
        assert connection.execute(THINGS.delete().where(THINGS.c.name == "0").returning(THINGS.c.id)).all() == [(2,)]
        assert connection.execute(select(THINGS).where(THINGS.c.id == 1)).one() == (1, "a", b"\x00\xff")
        empty = connection.execute(select(THINGS.c.name).where(THINGS.c.id == 99))
        assert list(empty.keys()) == ["name"]
        assert empty.all() == []


def test_a_transaction_is_whole_ddl_included(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (x)"))
        connection.execute(THINGS.insert().values(name="a"))
        connection.rollback()
    with engine.begin() as connection:
        assert connection.execute(text("SELECT name FROM sqlite_schema WHERE name = 'other'")).all() == []
        assert connection.execute(select(THINGS)).all() == []


def test_a_savepoint_rolls_back_alone(engine):
    with engine.begin() as connection:
        connection.execute(THINGS.insert().values(name="a"))
        with pytest.raises(exc.IntegrityError), connection.begin_nested():
            connection.execute(THINGS.insert().values(name="a"))
        connection.execute(THINGS.insert().values(name="b"))
    with engine.begin() as connection:
        assert len(connection.execute(select(THINGS)).all()) == 2


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (THINGS.insert().values(id=1, name="x"), exc.IntegrityError),
        (THINGS.insert().values(name="\ud800"), exc.DataError),
        (THINGS.insert().values(id=1 << 70), exc.DataError),
        (text("SELECT * FROM nowhere"), exc.OperationalError),
    ],
)
def test_errors_have_their_standard_names(engine, statement, error):
    with engine.begin() as connection:
        connection.execute(THINGS.insert().values(id=1))
    with pytest.raises(error), engine.begin() as connection:
        connection.execute(statement)


def test_a_reading_engine_cannot_write(engine, path):
    reader = create_engine(f"{dbapi.DRIVER}:///{path}", connect_args={"writing": False})
    with pytest.raises(exc.OperationalError, match="readonly"), reader.begin() as connection:
        connection.execute(THINGS.insert().values(name="a"))
    reader.dispose()


def test_a_reader_needs_the_file(tmp_path):
    with pytest.raises(dbapi.OperationalError):
        dbapi.connect(str(tmp_path / "nothing.db"), writing=False)
    assert not (tmp_path / "nothing.db").exists()


def test_a_broken_file_is_a_database_error(path):
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(dbapi.DatabaseError):
        dbapi.connect(str(path)).cursor().execute("SELECT 1 FROM sqlite_schema")


def test_two_writers_wait_for_one_another(engine):
    """With a deferred BEGIN, both would read first, and one would fail at once when it wants to write."""
    start = threading.Barrier(2)

    def add_all():
        start.wait()
        for _ in range(50):
            with engine.begin() as connection:
                count = len(connection.execute(select(CHILDREN)).all())
                connection.execute(CHILDREN.insert().values(thing=count))

    threads = [threading.Thread(target=add_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.begin() as connection:
        assert sorted(connection.execute(select(CHILDREN.c.thing)).scalars()) == list(range(100))


def test_autocommit(engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(THINGS.insert().values(name="a"))
        connection.execute(text("VACUUM"))
    with engine.begin() as connection:
        assert len(connection.execute(select(THINGS)).all()) == 1


def test_no_second_sqlite_library_is_loaded():
    code = (
        "import sys, telemetry_slice.engines.sqlite.registry as r, sqlalchemy, alembic.context, alembic.op\n"
        "assert not {'sqlite3', '_sqlite3'} & set(sys.modules), 'sqlite3 was imported'\n"
    )
    # Measuring coverage imports sqlite3 for files of its own.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=unmeasured)
    assert (done.returncode, done.stderr) == (0, "")
