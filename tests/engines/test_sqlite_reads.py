"""How reads meet SQLite: both arms of the view, a merge under way, statements that seek, deadlines and shares."""

from __future__ import annotations

import asyncio
import os
import random

import pytest
from sqlalchemy import text

from telemetry_slice.engines.sql import reads
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.readers import TENANT_THREADS, TENANT_WAITING, Readers
from telemetry_slice.engines.sql.reads import SqlTelemetry, fold_statement, page_statement
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.model.errors import Code, SliceError, UnavailableError
from telemetry_slice.model.series import Position, SeriesType, TimeRange

SPAN = TimeRange(0, 1000)
COLUMNS = "tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text"
ROW = (
    "INSERT INTO {table} (tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number)"
    " VALUES (1, :series, :at, :key, 0, 0, :number)"
)


class File:
    def __init__(self, folder):
        database = open_database(folder / "telemetry.db", name="telemetry", readers=4)
        upgrade(database.writer, "telemetry")
        self.writer, self.reader = database.writer, database.reader
        self.readers = Readers(self.reader)
        self.telemetry = SqlTelemetry(self.readers)
        with self.writer.begin() as connection:
            for number, type_ in enumerate("ab", 1):
                connection.execute(
                    text("INSERT INTO series VALUES (:n, 1, 1, :type, NULL, 0)"), {"n": number, "type": type_}
                )

    def add(self, table, rows):
        with self.writer.begin() as connection:
            connection.execute(text(ROW.format(table=table)), rows)

    def close(self):
        self.readers.close()
        self.reader.dispose()
        self.writer.dispose()


@pytest.fixture
def file(tmp_path):
    opened = File(tmp_path)
    yield opened
    opened.close()


def row(series, at, number):
    return {"series": series, "at": at, "key": os.urandom(16), "number": float(number)}


async def answers(telemetry):
    readings = await telemetry.readings(1, 1, SPAN, types=None, after=None, descending=False, limit=1000)
    buckets = await telemetry.buckets(1, 1, SeriesType("a", None, 0), SPAN, 100)
    return readings, buckets, await telemetry.insights(1, 1, SPAN)


async def test_a_merge_under_way_changes_no_answer(file, seed):
    chance = random.Random(seed)
    rows = [row(chance.choice([1, 2]), chance.randrange(1000), chance.random()) for _ in range(300)]
    file.add("telemetry_sorted", rows[:100])
    file.add("telemetry_recent", rows[100:])
    before = await answers(file.telemetry)
    assert len(before[0]) == 300
    with file.writer.begin() as connection:
        upto = connection.execute(text("SELECT max(row_no) FROM telemetry_recent")).scalar_one() - 20
        # Series 1 has been copied, series 2 not yet: rows of series 1 are in both tables.
        connection.execute(text("UPDATE telemetry_merge SET upto=:upto, cursor=1"), {"upto": upto})
        connection.execute(
            text(
                f"INSERT INTO telemetry_sorted SELECT {COLUMNS} FROM telemetry_recent"
                " WHERE row_no<=:upto AND series_id=1"
            ),
            {"upto": upto},
        )
    assert await answers(file.telemetry) == before


def plan(engine, statement):
    compiled = statement.compile(engine, compile_kwargs={"render_postcompile": True})
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.params[name] for name in compiled.positiontup)
        )
        return [line[3] for line in rows]


SOUGHT = "SEARCH telemetry_sorted USING PRIMARY KEY (series_id=? AND recorded_us>? AND recorded_us<?)"


@pytest.mark.parametrize("ids", [[1], [1, 2]])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("after", [None, Position(500, b"k" * 16, "a")])
def test_pages_seek_the_clustered_key(file, ids, descending, after):
    lines = plan(file.reader, page_statement(1, ids, SPAN, after=after, descending=descending, limit=100))
    assert SOUGHT in lines
    assert "SCAN telemetry_recent" in lines
    assert not any(line.startswith("SCAN telemetry_sorted") for line in lines)
    # One series comes off its own order: the clustered rows are merged with the sorted recent ones.
    assert "MERGE (UNION ALL)" in lines


@pytest.mark.parametrize("ids", [[1], [1, 2]])
@pytest.mark.parametrize("after", [None, (1, 500, b"k" * 16)])
def test_sums_seek_the_clustered_key(file, ids, after):
    lines = plan(file.reader, fold_statement(1, ids, SPAN, after))
    assert SOUGHT in lines
    assert "MERGE (UNION ALL)" in lines
    assert not any(line.startswith("SCAN telemetry_sorted") for line in lines)


async def test_sums_over_more_rows_than_are_held_at_once(file, monkeypatch, seed):
    chance = random.Random(seed)
    # Many rows of one instant, so that every edge of a chunk falls within ties.
    rows = [row(chance.choice([1, 2]), chance.choice([5, 5, 5, 700]), chance.random()) for _ in range(200)]
    file.add("telemetry_sorted", rows[:120])
    file.add("telemetry_recent", rows[120:])
    whole = await answers(file.telemetry)
    monkeypatch.setattr(reads, "FOLD_ROWS", 7)
    assert await answers(file.telemetry) == whole
    assert sum(insight.count for insight in whole[2]) == 200


def endless(connection):
    return connection.execute(
        text("WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n) SELECT max(v) FROM n")
    ).scalar_one()


async def test_a_read_that_takes_too_long_is_stopped_and_the_connection_serves_again(file):
    readers = Readers(file.reader, threads=1, deadline_s=0.1)
    with pytest.raises(SliceError) as refusal:
        await readers.run(1, endless)
    assert refusal.value.code == Code.CAPACITY
    assert await readers.run(1, lambda connection: connection.execute(text("SELECT 7")).scalar_one()) == 7
    readers.close()


async def test_a_caller_who_leaves_takes_the_read_along(file):
    readers = Readers(file.reader, threads=1, deadline_s=60)
    reading = asyncio.create_task(readers.run(1, endless))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await readers.run(1, lambda connection: connection.execute(text("SELECT 7")).scalar_one()) == 7
    readers.close()


async def test_one_tenant_takes_its_share_of_the_threads_and_no_more(file):
    readers = Readers(file.reader, deadline_s=60)
    greedy = [asyncio.create_task(readers.run(1, endless)) for _ in range(TENANT_THREADS + TENANT_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(SliceError) as refusal:
        await readers.run(1, endless)
    assert refusal.value.code == Code.CAPACITY
    assert refusal.value.retry_after_s
    # Another tenant finds threads free.
    one = readers.run(2, lambda connection: connection.execute(text("SELECT 1")).scalar_one())
    assert await asyncio.wait_for(one, 10) == 1
    for task in greedy:
        task.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)
    readers.close()


async def test_a_database_that_cannot_be_read_is_unavailable(file):
    def broken(connection):
        return connection.execute(text("SELECT * FROM nowhere"))

    with pytest.raises(UnavailableError):
        await file.readers.run(1, broken)
