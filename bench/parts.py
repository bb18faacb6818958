"""The parts of the distributed path, each alone and bare: what one event costs the processors at least."""

from __future__ import annotations

import asyncio
import itertools
import random
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import nats
import psycopg
from deploy.local.nats import NatsServer
from deploy.local.postgres import LocalPostgres, install_on
from nats.js.api import RetentionPolicy, StorageType

from .target import Target, cpu_of, free_port, load

EVENTS = 100
IN_FLIGHT = 64
COPY_ROWS = 5_000
PART_DATABASE = "bench_parts"

_ROW = struct.Struct(">hiiiiiqi16siqiqidii")
"""Eight columns, each behind its length."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part alone.

    Attributes:
        events_per_s: its own speed.
        cpu_s: CPU seconds an event, of every process that takes part.
    """

    events_per_s: float
    cpu_s: float


def decode(seconds: float) -> Part:
    """A bare ASGI application that decodes bodies of 100 events, and the load generator that sends them."""
    port = free_port()
    target = Target([sys.executable, "-m", "bench.echo", str(port), "--decode"], port, "/")
    try:
        before = cpu_of(target.process.pid)
        told = load(port, "none", batch=EVENTS, requests=int(2_000 * seconds), connections=32, seconds=seconds)
        spent = cpu_of(target.process.pid) - before + told["generator_cpu_s"]
    finally:
        target.stop()
    return Part(told["events_per_s"], spent / told["accepted_events"])


def publish(server: NatsServer, seconds: float) -> Part:
    """Messages of 100 events into a stream on disk, every one acknowledged after its fsync."""
    return asyncio.run(_publish(server, seconds))


async def _publish(server: NatsServer, seconds: float) -> Part:
    client = await nats.connect(server.url)
    stream = client.jetstream()
    await stream.add_stream(
        name="bench",
        subjects=["bench"],
        storage=StorageType.FILE,
        retention=RetentionPolicy.WORK_QUEUE,
        max_bytes=512 << 20,
    )
    # 75 bytes an event: what the platform's own packs take.
    payload = random.Random(1).randbytes(75 * EVENTS)
    end = time.perf_counter() + seconds
    count = 0

    async def one() -> None:
        nonlocal count
        while time.perf_counter() < end and count < 60_000:
            await stream.publish("bench", payload)
            count += 1

    began, own, servers = time.perf_counter(), time.process_time(), cpu_of(server.pid)
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    took = time.perf_counter() - began
    spent = time.process_time() - own + cpu_of(server.pid) - servers
    await stream.delete_stream("bench")
    await client.close()
    return Part(count * EVENTS / took, spent / (count * EVENTS))


_INCOMING = """
    CREATE TEMPORARY TABLE incoming (
        bucket int, tenant_no int, meaning bigint, event_key uuid, recorded_us bigint, received_us bigint,
        number float8, series_id int
    ) ON COMMIT DELETE ROWS
"""
_CLAIM_AND_STORE = """
    WITH claimed AS (
        INSERT INTO event_ledger (bucket, tenant_no, meaning, event_key)
        SELECT bucket, tenant_no, meaning, event_key FROM incoming ON CONFLICT DO NOTHING RETURNING event_key
    )
    INSERT INTO telemetry_events (recorded_us, received_us, stored_us, number, tenant_no, series_id, event_key)
    SELECT recorded_us, received_us, received_us, number, tenant_no, series_id, event_key
    FROM incoming JOIN claimed USING (event_key)
"""


def _rows(numbers: Iterator[int]) -> bytes:
    """`COPY_ROWS` rows in PostgreSQL's binary COPY format."""
    rnd = random.Random()
    now_us = time.time_ns() // 1_000
    week = now_us // 1_000 // (7 * 24 * 3600 * 1000)
    out = [b"PGCOPY\n\xff\r\n\0" + bytes(8)]
    for number in itertools.islice(numbers, COPY_ROWS):
        key = (
            struct.pack(">Q", now_us // 1_000 << 16 | 0x7000 | rnd.getrandbits(12)) + bytes((0x80,)) + rnd.randbytes(7)
        )
        out.append(_ROW.pack(8, 4, week, 4, 1, 8, number, 16, key, 8, now_us, 8, now_us, 8, 20.5, 4, number % 1000 + 1))
    out.append(struct.pack(">h", -1))
    return b"".join(out)


def copy_and_claim(server: LocalPostgres, seconds: float) -> Part:
    """Binary COPY and one statement that claims and stores, 5,000 events a transaction, into the platform's tables."""
    install_on(server, PART_DATABASE)
    numbers = itertools.count()
    with psycopg.connect(server.url_of("postgres", server.password, PART_DATABASE)) as connection:
        connection.execute("SET search_path = telemetry, pg_temp")
        connection.execute(_INCOMING)
        connection.commit()
        began, own, servers, count = time.perf_counter(), time.process_time(), cpu_of(server.pid), 0
        while time.perf_counter() - began < seconds:
            data = _rows(numbers)
            with connection.cursor() as cursor:
                with cursor.copy("COPY incoming FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(data)
                cursor.execute(_CLAIM_AND_STORE)
                if cursor.rowcount != COPY_ROWS:
                    raise RuntimeError(f"{cursor.rowcount} of {COPY_ROWS} were stored")
            connection.commit()
            count += COPY_ROWS
        took = time.perf_counter() - began
        spent = time.process_time() - own + cpu_of(server.pid) - servers
    with psycopg.connect(server.url, autocommit=True) as administrator:
        administrator.execute(f"DROP DATABASE {PART_DATABASE} WITH (FORCE)")
    return Part(count / took, spent / count)
