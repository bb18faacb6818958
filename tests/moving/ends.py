"""Installations that a tenant is moved from and to, and what they answer about it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from deploy.local.nats import NatsServer
from deploy.local.postgres import LocalPostgres, install_on

from telemetry_slice.engines.folder.secrets import ensure_secrets
from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.engines.sql.registry import Registry
from telemetry_slice.engines.sqlite.registry import open_database, open_registry
from telemetry_slice.engines.sqlite.store import SqliteStore, WriterProcess
from telemetry_slice.flow.access import Access, Secrets, new_signing_key
from telemetry_slice.model.series import TimeRange
from telemetry_slice.model.tenancy import Tenant
from telemetry_slice.model.times import HOUR_US, MINUTE_US
from telemetry_slice.runtime.distributed import Databases
from telemetry_slice.runtime.platform import Store
from telemetry_slice.settings import Settings

EVER = TimeRange(0, 4_000_000_000_000_000)
SERIES_LIMIT = 1_000


@dataclass
class Running:
    """The ports of an installation at work."""

    registry: Registry
    store: Store
    telemetry: SqlTelemetry
    access: Access


class End(Protocol):
    """An installation at rest."""

    settings: Settings

    def open(self) -> Any:
        """Work with it: an asynchronous context manager of `Running`."""


def _access(settings: Settings, registry: Registry) -> Access:
    kept = ensure_secrets(settings.data, new_signing_key)
    return Access(Secrets(kept.pepper, kept.signing_key), registry, SystemClock())


def with_secrets_of(folder: Path, other: Path | None) -> Path:
    """A folder with the secrets of another, or its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if other is not None:
        shutil.copy(other / "secrets.json", folder)
    ensure_secrets(folder, new_signing_key)
    return folder


class FolderEnd:
    """A data folder."""

    def __init__(self, folder: Path, secrets: Path | None = None) -> None:
        self.settings = Settings(data=with_secrets_of(folder, secrets))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Running]:
        folder = self.settings.data
        registry = open_registry(folder / "registry.db", SystemClock())
        database = open_database(folder / "telemetry.db", name="telemetry")
        upgrade(database.writer, "telemetry")
        database.writer.dispose()
        readers = Readers(database.reader)
        process = WriterProcess(folder / "telemetry.db", SERIES_LIMIT)
        await process.start()
        access = _access(self.settings, registry)
        try:
            yield Running(registry, SqliteStore(process, readers), SqlTelemetry(readers), access)
        finally:
            access.close()
            await process.stop()
            readers.close()
            database.reader.dispose()
            registry.close()


class DatabaseEnd:
    """A database of a server and one for a tenant of its own, with a queue."""

    def __init__(
        self, server: LocalPostgres, database: str, queue: NatsServer, folder: Path, secrets: Path | None = None
    ) -> None:
        self.server, self.database = server, database
        self.urls = install_on(server, database)
        own = install_on(server, f"{database}_own", placement=True)
        self.settings = Settings(
            data=with_secrets_of(folder, secrets),
            database_url=self.urls.api_url,
            database_writer_url=self.urls.writer_url,
            database_migration_url=self.urls.migration_url,
            placement_databases={"own": {"url": own.api_url, "writer_url": own.writer_url, "queue_bytes": 16 << 20}},
            max_series=SERIES_LIMIT,
            queue_url=queue.url,
            queue_monitor_url=queue.monitor_url,
            queue_bytes=16 << 20,
            redis_url="redis://127.0.0.1:1/0",  # a move asks nobody there
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Running]:
        databases = Databases(self.settings, SystemClock())
        access = _access(self.settings, databases.registry)
        try:
            yield Running(databases.registry, databases.store, SqlTelemetry(databases.readers), access)
        finally:
            access.close()
            databases.close()


async def _dashboards(running: Running, tenant: Tenant) -> list[Any]:
    """Each but for the number of its version, which begins anew."""
    found = []
    for head in await running.registry.dashboards.list(tenant.no):
        whole = await running.registry.dashboards.get(tenant.no, head.id)
        assert whole is not None
        found.append((replace(head, version=0), whole.document))
    return found


async def answers(
    running: Running, tenant_id: str, as_of_us: int, minutes: list[int], expired_us: int = 0
) -> dict[str, Any]:
    """Whatever the installation says of a tenant, without the numbers that are its own."""
    tenant = await running.registry.tenants.get(tenant_id)
    assert tenant is not None
    page = {"query": None, "tag": None, "location": None, "sort": "deviceId", "descending": False, "after": None}
    devices = await running.registry.devices.page(tenant.no, **page, limit=10_000)
    by_no = {device.no: device.id for device in devices}
    said: dict[str, Any] = {
        "tenant": (tenant.name, tenant.auto_register, tenant.limits, tenant.created_us),
        "dashboards": await _dashboards(running, tenant),
        "devices": [(d.id, d.label, d.location, d.tags, d.created_us, d.deleted_us) for d in devices],
        "users": [
            (account.email, account.name, account.password, role)
            for account, role in await running.registry.accounts.of_tenant(tenant.no)
            # Who comes of a provider stays behind.
            if account.password
        ],
        "keys": {
            device: [
                (k.key_id, k.kind, k.device_id, k.name, k.scopes, k.addresses, k.mac, k.created_us, k.expires_us)
                for k in await running.registry.keys.list(tenant.no, device)
            ]
            for device in (None, *by_no.values())
        },
        "letters": [
            (x.reason, x.detail, x.event_id, x.device_id, x.received_us, x.body, x.state)
            for x in await running.store.list(tenant.no, reason=None, after=None, limit=10_000)
        ],
    }
    last = await running.telemetry.last_values(tenant.no, list(by_no))
    for number, device_id in by_no.items():
        said[device_id] = await _of_device(running.telemetry, tenant.no, number, as_of_us)
        said[device_id]["last"] = [
            (v.type, v.unit, repr(v.value), v.recorded_us, v.received_us)
            for v in last.get(number, ())
            # A data folder may know the last value of what has expired, a database does not.
            if v.recorded_us >= expired_us
        ]
    for span in ((None, None), *((minute, minute + MINUTE_US) for minute in minutes)):
        books = await running.store.books(tenant.no, *span)
        said[f"books {span}"] = (books.announced, books.stored, books.duplicate, books.dead, books.rejected)
    return said


async def _of_device(telemetry: SqlTelemetry, tenant: Any, number: int, as_of_us: int) -> dict[str, Any]:
    said: dict[str, Any] = {"types": await telemetry.types(tenant, number)}
    for name, span in (("now", EVER), ("then", TimeRange(EVER.from_us, EVER.to_us, as_of_us))):
        after, found = None, []
        # In pages, as readers do.
        while page := await telemetry.readings(
            tenant, number, span, types=None, after=after, descending=False, limit=50
        ):
            found += page
            after = page[-1].position
        said[f"readings {name}"] = [repr(reading) for reading in found]
        said[f"insights {name}"] = await telemetry.insights(tenant, number, span)
        said[f"events {name}"] = [
            repr(event)
            for event in await telemetry.whole_events(tenant, number, span, after=None, descending=True, limit=500)
        ]
        for series in said["types"]:
            said[f"buckets {name} {series}"] = await telemetry.buckets(tenant, number, series, span, HOUR_US)
    return said
