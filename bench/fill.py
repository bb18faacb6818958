"""Filling a store with a day of readings of a thousand devices, past HTTP and queue."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from telemetry_slice.engines.folder.lock import FolderLock
from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sql.registry import Registry
from telemetry_slice.engines.sqlite.files import REGISTRY, TELEMETRY
from telemetry_slice.engines.sqlite.registry import open_database, open_registry
from telemetry_slice.engines.sqlite.store import SqliteStore, WriterProcess
from telemetry_slice.flow.access.provisioning import MAX_ROWS
from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo, meaning_of
from telemetry_slice.model.times import DAY_US, MINUTE_US
from telemetry_slice.ports.events import EventStore

from .events import DEVICES

ROUND = 5


class Opened(NamedTuple):
    """The databases of a data folder that no platform has open, and one of its tenants."""

    registry: Registry
    store: EventStore
    tenant: TenantNo

    async def register(self, names: Sequence[str]) -> dict[str, int]:
        """Device id → its number, for devices that may be new."""
        found = {}
        for at in range(0, len(names), MAX_ROWS):
            devices = await self.registry.devices.register(self.tenant, names[at : at + MAX_ROWS])
            found |= {name: device.no for name, device in devices.items()}
        return found


@asynccontextmanager
async def opened(folder: Path, tenant_id: str) -> AsyncIterator[Opened]:
    """Open a data folder to be filled past HTTP and queue."""
    lock = FolderLock(folder)
    registry = open_registry(folder / REGISTRY, SystemClock())
    database = open_database(folder / TELEMETRY, name="fill")
    readers = Readers(database.reader)
    process = WriterProcess(folder / TELEMETRY, 1_000_000)
    try:
        tenant = await registry.tenants.get(tenant_id)
        assert tenant is not None
        await process.start()
        yield Opened(registry, SqliteStore(process, readers), tenant.no)
    finally:
        await process.stop()
        readers.close()
        database.close()
        registry.close()
        lock.release()


async def fill(folder: Path, tenant_id: str, rows: int) -> float:
    """Store `rows` readings over the last 24 hours, all devices in turn; seconds it took."""
    async with opened(folder, tenant_id) as data:
        numbers = await data.register([f"dev-{number:04d}" for number in range(DEVICES)])
        began = time.perf_counter()
        await fill_store(data.store, data.tenant, numbers, rows)
        return time.perf_counter() - began


def add(
    batch: EventBatch, device: tuple[str, int], at_us: int, values: Mapping[str, tuple[str, float]], key: bytes
) -> None:
    """Add one event to a batch: its device's id and number, and by measurement its unit and value."""
    name, number = device
    measurements = tuple((type_, unit, int(Kind.NUMBER), value) for type_, (unit, value) in sorted(values.items()))
    batch.keys.append(struct.pack(">Q", at_us // 1000 << 16 | 0x7000 | key[0]) + key[1:9])
    batch.texts.append(None)
    batch.devices.append(number)
    batch.device_ids.append(name)
    batch.recorded_us.append(at_us)
    batch.meanings.append(meaning_of(name, at_us, measurements))
    batch.measurements.append(measurements)


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
        for device in numbers.items():
            add(batch, device, recorded_us, {"temperature": ("C", 20 + rnd.random() * 10)}, rnd.randbytes(9))
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
