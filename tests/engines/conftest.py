"""A store on PostgreSQL, a gate that numbers messages, and a superuser who looks past every wall."""

import asyncio
import os
import struct
from collections import Counter
from itertools import count

import psycopg
import pytest

from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.postgres.store import PostgresStore
from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo, event_key, meaning_of

NOW_US = 1_790_000_000_000_000
TENANTS = count(1)


class Gate:
    """Numbers messages as a gate does."""

    def __init__(self):
        self.incarnation = os.urandom(16)
        self.sequence = 0
        self.totals = Counter()

    def message(self, *batches):
        """`batches` are (tenant, [(event id, recorded_us, value)])."""
        made = []
        for tenant, events in batches:
            batch = EventBatch(tenant, NOW_US)
            for event_id, recorded_us, value in events:
                key, text = event_key(event_id)
                measurements = (("temperature", "C", Kind.NUMBER, float(value)),)
                batch.keys.append(key)
                batch.texts.append(text)
                batch.devices.append(1)
                batch.device_ids.append("dev-1")
                batch.recorded_us.append(recorded_us)
                batch.meanings.append(meaning_of("dev-1", recorded_us, measurements))
                batch.measurements.append(measurements)
            self.totals[tenant] += len(events)
            batch.total = batch.minute_total = self.totals[tenant]
            made.append(batch)
        self.sequence += 1
        return Message(self.incarnation, self.sequence, tuple(made))


def uuid7(at_ms, rest=b"\x00" * 8):
    digits = (struct.pack(">Q", at_ms << 16 | 0x7ABC) + b"\x80" + rest[1:8]).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def new_gate():
    return Gate


@pytest.fixture
def id_at():
    """UUIDv7 of a time in ms."""
    return uuid7


@pytest.fixture
def tenant():
    return TenantNo(next(TENANTS))


@pytest.fixture
def other():
    return TenantNo(next(TENANTS))


@pytest.fixture
def superuser(postgres, postgres_server):
    with psycopg.connect(
        postgres_server.url_of("postgres", postgres_server.password, "engine_tests"), autocommit=True
    ) as connection:
        connection.execute("SET search_path = telemetry")
        yield connection


@pytest.fixture
def readers(postgres):
    engine = open_reading(postgres.api_url)
    readers = readers_over(engine)
    yield readers
    readers.close()
    engine.dispose()


@pytest.fixture
def new_store(postgres, readers):
    """Makes stores that are closed in the end."""
    made = []

    def make(**options):
        made.append(PostgresStore(postgres.writer_url, readers, **{"series_limit": 50, **options}))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(new_store):
    return new_store()


@pytest.fixture
def until():
    """Waits for a condition with a deadline."""

    async def wait(condition, what):
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(condition):
                await asyncio.sleep(0.01)
        assert condition(), what

    return wait
