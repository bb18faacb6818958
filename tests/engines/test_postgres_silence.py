"""A server that falls silent with its connections open: every call ends in time, and the next one after it answers."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from tests.system.proxy import Proxy

from telemetry_slice.engines.postgres.connect import engine, sever
from telemetry_slice.engines.postgres.connections import Connections
from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.sql.database import Database
from telemetry_slice.model.errors import SliceError, UnavailableError

DEADLINE_S = 1.0
CALLS = 12
"""More than there are threads: who waits for one gives up as well."""
IN_TIME_S = 30.0


@pytest.fixture
def silent(postgres):
    with Proxy(urlsplit(postgres.api_url).port) as proxy:
        yield proxy


def through(proxy, url):
    return url.replace(f":{urlsplit(url).port}/", f":{proxy.port}/")


async def fall_silent(proxy, ask):
    """`ask` answers, then fails in time while nothing passes, then answers again."""
    assert await ask() == 1
    proxy.stall()
    began = time.monotonic()
    calls = await asyncio.gather(*(ask() for _ in range(CALLS)), return_exceptions=True)
    assert {type(each) for each in calls} <= {UnavailableError, SliceError}, calls
    assert time.monotonic() - began < IN_TIME_S
    proxy.heal()
    assert await ask() == 1


async def test_the_registry_of_a_silent_server(postgres, silent):
    url = through(silent, postgres.api_url)
    database = Database(
        engine(url, size=1), engine(url, size=2), name="silent", readers=2, sever=sever, deadline_s=DEADLINE_S
    )
    try:
        for run in (database.read, database.write):
            await fall_silent(silent, lambda run=run: run(lambda c: c.execute(text("SELECT 1")).scalar()))
    finally:
        database.close()


async def test_readings_of_a_silent_server(postgres, silent):
    reading = open_reading(through(silent, postgres.api_url))
    readers = readers_over(reading, deadline_s=DEADLINE_S)
    try:
        await fall_silent(silent, lambda: readers.run(1, lambda c: c.execute(text("SELECT 1")).scalar()))
    finally:
        readers.close()
        reading.dispose()


async def test_the_store_of_a_silent_server(postgres, silent):
    connections = Connections(through(silent, postgres.writer_url), size=2, deadline_s=DEADLINE_S)
    try:
        await fall_silent(silent, lambda: connections.run(lambda c: c.execute("SELECT 1").fetchone()[0]))
    finally:
        connections.close()
