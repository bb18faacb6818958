"""The engines that every contract is run on. A new engine adds its harness here."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from telemetry_slice.engines.sql.letters import LetterReads
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.engines.sqlite.store import SqliteStore, WriterProcess
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import TenantNo

T = TypeVar("T")


class StoreHarness(Protocol):
    """An event store with what a contract needs around it."""

    store: Any
    telemetry: Any

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function on the store's event loop."""

    def new_tenant(self) -> TenantNo:
        """A tenant that nobody has used: instead of emptying tables."""

    def crash(self) -> None:
        """Kill whatever writes, and wait until the store takes calls again."""

    def stored(self, tenant: TenantNo) -> list[tuple[Any, ...]]:
        """(device, type, unit, kind, recorded_us, event key, number, text) of every stored measurement, sorted."""


class SqliteHarness:
    """A real writer child over a file of its own."""

    SERIES_LIMIT = 50

    def __init__(self, folder: Path) -> None:
        path = folder / "telemetry.db"
        database = open_database(path, name="telemetry")
        upgrade(database.writer, "telemetry")
        database.writer.dispose()
        self.engine = database.reader
        self.readers = Readers(self.engine)
        self.telemetry = SqlTelemetry(self.readers)
        self.process = WriterProcess(path, self.SERIES_LIMIT)
        self.store = SqliteStore(self.process, LetterReads(self.readers))
        self._runner = asyncio.Runner()
        self._tenants = count(1)
        self._runner.run(self.process.start())

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def call() -> T:
            return await work()

        return self._runner.run(call())

    def new_tenant(self) -> TenantNo:
        return TenantNo(next(self._tenants))

    def crash(self) -> None:
        pid = self.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        async def until_back() -> None:
            async with asyncio.timeout(20):
                while True:
                    try:
                        await self.store.open_counts()
                    except UnavailableError:
                        await asyncio.sleep(0.01)
                    else:
                        if self.process.pid not in (None, pid):
                            return

        self.run(until_back)

    def stored(self, tenant: TenantNo) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT s.device_no, s.type, s.unit, s.kind, e.recorded_us, e.event_key, e.number, e.text"
                " FROM telemetry_events e JOIN series s USING (series_id) WHERE e.tenant_no=? AND s.tenant_no=?",
                (tenant, tenant),
            ).fetchall()
        return sorted((tuple(row) for row in rows), key=repr)

    def close(self) -> None:
        self._runner.run(self.process.stop())
        self.readers.close()
        self.engine.dispose()
        self._runner.close()


STORES: dict[str, Callable[[Path], Any]] = {"sqlite": SqliteHarness}


@pytest.fixture(scope="module", params=sorted(STORES))
def store_harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreHarness]:
    harness = STORES[request.param](tmp_path_factory.mktemp(request.param))
    yield harness
    harness.close()
