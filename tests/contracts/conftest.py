"""The engines that every contract is run on. A new engine adds its harness here."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count, cycle
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg
import pytest
from deploy.local.postgres import Installation, LocalPostgres, install_on
from tests.next_release import next_release

from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.postgres.connections import Connections
from telemetry_slice.engines.postgres.migrate import make_schema, migrate
from telemetry_slice.engines.postgres.placed import PlacedReaders, PlacedStore
from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.postgres.registry import open_registry as open_postgres_registry
from telemetry_slice.engines.postgres.store import PostgresStore
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.placements import Placements
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.engines.sql.registry import Registry
from telemetry_slice.engines.sqlite.registry import open_database, open_registry
from telemetry_slice.engines.sqlite.store import SqliteStore, WriterProcess
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import TenantNo
from telemetry_slice.model.placement import SHARED, Placement

T = TypeVar("T")

SERIES_LIMIT = 50
STORED = (
    "SELECT s.device_no, s.type, s.unit, s.kind, e.recorded_us, {key} AS event_key, e.number, e.text"
    " FROM telemetry_events e JOIN series s USING (series_id) WHERE e.tenant_no = {tenant} AND s.tenant_no = {tenant}"
)


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


class Looped:
    """An event loop that lasts as long as the harness."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def call() -> T:
            return await work()

        return self._runner.run(call())

    def until_answered(self, work: Callable[[], Awaitable[Any]], *, true: Callable[[], bool] = lambda: True) -> None:
        """Do `work` again and again until it answers, and `true` is."""

        async def answered() -> None:
            async with asyncio.timeout(20):
                while True:
                    try:
                        await work()
                    except UnavailableError:
                        await asyncio.sleep(0.01)
                    else:
                        if true():
                            return

        self.run(answered)


class SqliteHarness(Looped):
    """A real writer child over a file of its own."""

    SERIES_LIMIT = SERIES_LIMIT

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__()
        path = request.getfixturevalue("tmp_path_factory").mktemp("sqlite") / "telemetry.db"
        database = open_database(path, name="telemetry")
        upgrade(database.writer, "telemetry")
        database.writer.dispose()
        self.engine = database.reader
        self.readers = Readers(self.engine)
        self.telemetry = SqlTelemetry(self.readers)
        self.process = WriterProcess(path, self.SERIES_LIMIT)
        self.store = SqliteStore(self.process, self.readers)
        self._tenants = count(1)
        self._runner.run(self.process.start())

    def new_tenant(self) -> TenantNo:
        return TenantNo(next(self._tenants))

    def crash(self) -> None:
        pid = self.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        self.until_answered(self.store.open_counts, true=lambda: self.process.pid not in (None, pid))

    def stored(self, tenant: TenantNo) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql(STORED.format(key="e.event_key", tenant=tenant)).fetchall()
        return sorted((tuple(row) for row in rows), key=repr)

    def close(self) -> None:
        self._runner.run(self.process.stop())
        self.readers.close()
        self.engine.dispose()
        self._runner.close()


class PostgresHarness(Looped):
    """A real server with a database of its own."""

    SERIES_LIMIT = SERIES_LIMIT
    SERVER = "postgres_server"

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__()
        self.server: LocalPostgres = request.getfixturevalue(self.SERVER)
        self.database = f"store_{next(DATABASES)}"
        self.urls = install_on(self.server, self.database)
        self.engine = open_reading(self.urls.api_url)
        self.readers = readers_over(self.engine)
        self.telemetry = SqlTelemetry(self.readers)
        self.store = PostgresStore(self.urls.writer_url, self.readers, series_limit=SERIES_LIMIT)
        self.owner = psycopg.connect(self.server.url_of("postgres", self.server.password, self.database))
        self.owner.autocommit = True
        self.owner.execute("SET search_path = telemetry")
        self._tenants = count(1)

    def new_tenant(self) -> TenantNo:
        return TenantNo(next(self._tenants))

    def crash(self) -> None:
        self.owner.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()",
            (self.database,),
        )
        self.until_answered(self.store.open_counts)

    def stored(self, tenant: TenantNo) -> list[tuple[Any, ...]]:
        rows = self.owner.execute(STORED.format(key="uuid_send(e.event_key)", tenant=tenant)).fetchall()
        return sorted((tuple(row) for row in rows), key=repr)

    def close(self) -> None:
        self.store.close()
        self.readers.close()
        self.engine.dispose()
        self.owner.close()
        self._runner.close()


class NextSchemaHarness(PostgresHarness):
    """This release on the schema of the next one: so it can be rolled back without a way down."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        with next_release(request.getfixturevalue("tmp_path_factory").mktemp("revisions")):
            migrate(self.urls.migration_url)


class OtherPostgresHarness(PostgresHarness):
    """The PostgreSQL of the operating system, which is of another version."""

    SERVER = "system_postgres_server"


class PlacedHarness(Looped):
    """One store over several placements; tenants take turns between them, so that neighbours lie apart."""

    SERIES_LIMIT = SERIES_LIMIT
    CRASHES = 10
    """In all: it is the code of `PostgresHarness`, and every crash means cold backends for each placement."""

    def __init__(self, request: pytest.FixtureRequest, placements: Sequence[Placement]) -> None:
        super().__init__()
        self.server: LocalPostgres = request.getfixturevalue("postgres_server")
        self.names: dict[str | None, str] = {None: f"placed_{next(DATABASES)}"}
        installed = {None: install_on(self.server, self.names[None])}
        for placement in placements:
            if placement.schema is not None:
                make_schema(installed[None].migration_url, placement.schema)
            if placement.database is not None:
                self.names[placement.database] = f"placed_{next(DATABASES)}"
                installed[placement.database] = install_on(self.server, self.names[placement.database], placement=True)
        self.registry = open_postgres_registry(installed[None].api_url, SystemClock())
        directory = Placements(self.registry.database)
        self.engines = {name: open_reading(urls.api_url) for name, urls in installed.items()}
        self.direct = {name: readers_over(engine) for name, engine in self.engines.items()}
        self.readers = PlacedReaders(directory, self.direct)
        self.telemetry = SqlTelemetry(self.readers)
        self.store = PlacedStore(
            directory,
            {name: Connections(urls.writer_url, size=2) for name, urls in installed.items()},
            self.readers,
            series_limit=SERIES_LIMIT,
        )
        self.owners = {
            name: psycopg.connect(self.server.url_of("postgres", self.server.password, database), autocommit=True)
            for name, database in self.names.items()
        }
        self.placed: dict[TenantNo, Placement] = {}
        self._next = cycle(placements)
        self._crashes = 0

    def new_tenant(self) -> TenantNo:
        placement = next(self._next)
        tenant_id = f"t-{len(self.placed)}"
        made = self.run(lambda: self.registry.tenants.create(tenant_id, "A tenant", placement=placement))
        self.placed[made.no] = placement
        return made.no

    def crash(self) -> None:
        self._crashes += 1
        if self._crashes > self.CRASHES:
            return
        for name, owner in self.owners.items():
            owner.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                (self.names[name],),
            )
        self.until_answered(lambda: self.store.at_each(lambda store: store.open_counts()))

    def stored(self, tenant: TenantNo) -> list[tuple[Any, ...]]:
        """What lies in the tenant's own placement. What lies elsewhere is looked for by the tests of placement."""
        placement = self.placed[tenant]
        owner = self.owners[placement.database]
        owner.execute("SELECT set_config('search_path', quote_ident(%s), false)", (placement.schema or "telemetry",))
        rows = owner.execute(STORED.format(key="uuid_send(e.event_key)", tenant=tenant)).fetchall()
        return sorted((tuple(row) for row in rows), key=repr)

    def close(self) -> None:
        self.store.close()
        for readers in self.direct.values():
            readers.close()
        for engine in self.engines.values():
            engine.dispose()
        self.registry.close()
        for owner in self.owners.values():
            owner.close()
        self._runner.close()


DATABASES = count(1)
STORES: dict[str, Callable[[pytest.FixtureRequest], Any]] = {
    "database": lambda request: PlacedHarness(request, [Placement(database="one"), SHARED]),
    "postgres": PostgresHarness,
    "schema": lambda request: PlacedHarness(request, [Placement("tenant_one"), Placement("tenant_two-2")]),
    "sqlite": SqliteHarness,
    "postgres, next schema": NextSchemaHarness,
    "postgres of the system": OtherPostgresHarness,
}
_LONG = {"postgres, next schema", "postgres of the system"}


@pytest.fixture(scope="session")
def system_postgres_server() -> Iterator[LocalPostgres]:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    assert installed, "install the system's PostgreSQL (15 or newer): .ci/system-packages long"
    with LocalPostgres(install=installed[0].parents[1]) as server:
        yield server


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.long if name in _LONG else ()) for name in sorted(STORES)],
)
def store_harness(request: pytest.FixtureRequest) -> Iterator[StoreHarness]:
    harness = STORES[request.param](request)
    yield harness
    harness.close()


def sqlite_registry(request: pytest.FixtureRequest, clock: Any) -> Registry:
    return open_registry(request.getfixturevalue("tmp_path") / "registry.db", clock)


def postgres_registry(request: pytest.FixtureRequest, clock: Any) -> Registry:
    urls: Installation = request.getfixturevalue("postgres_registry_urls")
    server: LocalPostgres = request.getfixturevalue("postgres_server")
    with psycopg.connect(server.url_of("postgres", server.password, REGISTRY_DATABASE)) as owner:
        owner.execute(
            "TRUNCATE registry.tenants, registry.accounts, registry.first_run_offers, registry.audit,"
            " registry.audit_heads, registry.signing_keys, registry.erasures RESTART IDENTITY CASCADE"
        )
    return open_postgres_registry(urls.api_url, clock)


REGISTRY_DATABASE = "registry_contracts"
REGISTRIES: dict[str, Callable[[pytest.FixtureRequest, Any], Registry]] = {
    "postgres": postgres_registry,
    "sqlite": sqlite_registry,
}
"""How to open an empty registry on each engine."""


@pytest.fixture(scope="session")
def postgres_registry_urls(postgres_server: LocalPostgres) -> Installation:
    return install_on(postgres_server, REGISTRY_DATABASE)


@pytest.fixture(params=sorted(REGISTRIES))
def registry(request: pytest.FixtureRequest, clock: Any) -> Iterator[Registry]:
    opened = REGISTRIES[request.param](request, clock)
    yield opened
    opened.close()
