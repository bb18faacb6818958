"""Filling a store with a day of readings of a thousand devices, past HTTP and queue."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from telemetry_slice.engines.folder.lock import FolderLock
from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sqlite.files import REGISTRY, TELEMETRY
from telemetry_slice.engines.sqlite.registry import open_database, open_registry
from telemetry_slice.engines.sqlite.store import SqliteStore, WriterProcess
from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo, meaning_of
from telemetry_slice.model.times import DAY_US, MINUTE_US
from telemetry_slice.ports.events import EventStore

from .events import DEVICES

ROUND = 5


async def fill(folder: Path, tenant_id: str, rows: int) -> float:
    """Store `rows` readings over the last 24 hours, all devices in turn; seconds it took."""
    lock = FolderLock(folder)
    registry = open_registry(folder / REGISTRY, SystemClock())
    database = open_database(folder / TELEMETRY, name="fill")
    readers = Readers(database.reader)
    process = WriterProcess(folder / TELEMETRY, 100_000)
    try:
        tenant = await registry.tenants.get(tenant_id)
        assert tenant is not None
        names = [f"dev-{number:04d}" for number in range(DEVICES)]
        numbers = {name: device.no for name, device in (await registry.devices.register(tenant.no, names)).items()}
        await process.start()
        store = SqliteStore(process, readers)
        began = time.perf_counter()
        await fill_store(store, tenant.no, numbers, rows)
        return time.perf_counter() - began
    finally:
        await process.stop()
        readers.close()
        database.close()
        registry.close()
        lock.release()


async def fill_store(
    store: EventStore, tenant: TenantNo, numbers: Mapping[str, int], rows: int, *, at_once: int = 1
) -> None:
    """Store `rows` readings of the devices `numbers`, with `at_once` appends under way."""
    turns = asyncio.Semaphore(at_once)
    async with asyncio.TaskGroup() as group:
        for messages in _messages(tenant, numbers, rows):
            await turns.acquire()
            task = group.create_task(store.append(messages))
            task.add_done_callback(lambda _: turns.release())


def _messages(tenant: TenantNo, numbers: Mapping[str, int], rows: int) -> Iterator[list[Message]]:
    rnd = random.Random(7)
    end_us = time.time_ns() // 1000 - 2 * MINUTE_US
    step_us = DAY_US * DEVICES // rows
    incarnation = os.urandom(16)
    total = minute_total = minute = 0
    messages: list[Message] = []
    for sequence in range(1, rows // DEVICES + 1):
        recorded_us = end_us - DAY_US + sequence * step_us
        if recorded_us // MINUTE_US != minute:
            minute, minute_total = recorded_us // MINUTE_US, 0
        batch = EventBatch(tenant, recorded_us)
        for name, number in numbers.items():
            value = 20 + rnd.random() * 10
            measurements = (("temperature", "C", int(Kind.NUMBER), value),)
            batch.keys.append(
                struct.pack(">Q", recorded_us // 1000 << 16 | 0x7000 | rnd.getrandbits(12)) + rnd.randbytes(8)
            )
            batch.texts.append(None)
            batch.devices.append(number)
            batch.device_ids.append(name)
            batch.recorded_us.append(recorded_us)
            batch.meanings.append(meaning_of(name, recorded_us, measurements))
            batch.measurements.append(measurements)
        total += len(batch)
        minute_total += len(batch)
        batch.total, batch.minute_total = total, minute_total
        messages.append(Message(incarnation, sequence, (batch,)))
        if len(messages) == ROUND:
            yield messages
            messages = []
    if messages:
        yield messages


def run_fill(folder: Path, tenant_id: str, rows: int) -> float:
    """`fill` for callers without an event loop."""
    return asyncio.run(fill(folder, tenant_id, rows))
