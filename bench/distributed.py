"""The platform on PostgreSQL, JetStream and Valkey beside its bare parts; servers, roles and load on this machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
from deploy.local.installation import DATABASE, LocalInstallation

from telemetry_slice.cli.client import Api
from telemetry_slice.cli.connection import mint
from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.postgres.registry import open_registry
from telemetry_slice.engines.postgres.store import PostgresStore

from . import dashboard, parts
from .events import DEVICES
from .fill import fill_store
from .limits import cpu_times, fsyncs_per_second
from .target import Target, free_port, load, show, show_machine
from .visible import Visible

TENANTS = 100
KEYS_EACH = 10
AT_ONCE = 8
LAG_S = 2.0
"""A load is sustained when at its end no more waits than arrives in so many seconds."""
ROUNDS = 4

Keys = dict[str, list[str]]


async def make_tenants(data: Path, url: str) -> tuple[Keys, str]:
    """Tenants with gateway keys, and a service key of the first tenant."""
    turns = asyncio.Semaphore(AT_ONCE)
    made: Keys = {}

    async def one(tenant_id: str) -> None:
        async with turns:
            async with Api(url, mint(data, None)) as api:
                await api.call("POST", "/api/v1/tenants", json={"tenantId": tenant_id, "name": tenant_id})
            async with Api(url, mint(data, tenant_id)) as api:
                made[tenant_id] = [
                    (
                        await api.call(
                            "POST",
                            "/api/v1/keys",
                            json={"kind": "gateway", "name": f"gateway {number}", "scopes": ["ingest"]},
                        )
                    )["key"]
                    for number in range(KEYS_EACH)
                ]

    await asyncio.gather(*(one(f"tenant-{number:03d}") for number in range(TENANTS)))
    first = min(made)
    async with Api(url, mint(data, first)) as api:
        service = await api.call(
            "POST", "/api/v1/keys", json={"kind": "service", "name": "bench", "scopes": ["read", "ingest"]}
        )
    return made, service["key"]


async def fill(installation: LocalInstallation, tenant_id: str, rows: int) -> float:
    """Store rows past HTTP and queue; seconds it took."""
    settings = installation.settings
    registry = open_registry(settings["TSLICE_DATABASE_URL"], SystemClock())
    engine = open_reading(settings["TSLICE_DATABASE_URL"])
    readers = readers_over(engine)
    store = PostgresStore(settings["TSLICE_DATABASE_WRITER_URL"], readers, series_limit=100_000)
    try:
        tenant = await registry.tenants.get(tenant_id)
        assert tenant is not None
        names = [f"dev-{number:04d}" for number in range(DEVICES)]
        numbers = {name: device.no for name, device in (await registry.devices.register(tenant.no, names)).items()}
        began = time.perf_counter()
        await fill_store(store, tenant.no, numbers, rows, at_once=2)
        return time.perf_counter() - began
    finally:
        store.close()
        readers.close()
        engine.dispose()
        registry.close()


class Measured:
    """What is measured of running roles."""

    def __init__(self, target: Target, administrator_url: str, keys: Keys, service: str, keys_file: Path) -> None:
        self.target = target
        self.key = keys[min(keys)][0]
        self.service = service
        self.keys_file = keys_file
        self._database = psycopg.connect(administrator_url, autocommit=True)
        self._seed = 100

    def ask(self, statement: str) -> Any:
        """One value of the database; None for what returns nothing."""
        cursor = self._database.execute(statement)  # type: ignore[arg-type]
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def close(self) -> None:
        self._database.close()

    def books(self) -> dict[str, Any]:
        """The books of the first tenant."""
        answer: dict[str, Any] = json.loads(self.target.get("/api/v1/books", self.service)[1])
        return answer

    def send(self, seconds: float, **options: Any) -> dict[str, Any]:
        """Load with ids that were never sent before."""
        self._seed += 1
        return load(self.target.port, self.key, seconds=seconds, seed=self._seed, **options)

    def singles(self, seconds: float, **options: Any) -> dict[str, Any]:
        """Single events under all keys in turn."""
        self._seed += 1
        keys = {"keys": self.keys_file, "batch": 1, "seconds": seconds, "seed": self._seed}
        return load(self.target.port, "", **keys, **options)

    def burst(self, seconds: float) -> tuple[float, float, int]:
        """As many batches as are taken: events/s accepted, events/s stored meanwhile, events waiting at the end."""
        before = self.books()["stored"]
        told = self.send(seconds, batch=100, requests=int(3_000 * seconds), connections=48)
        books = self.books()
        # The generator makes its requests before it begins: its own time counts.
        return told["events_per_s"], (books["stored"] - before) / told["seconds"], books["inFlight"]

    def drain(self) -> tuple[int, float]:
        """Until nothing waits: events, events/s."""
        waiting, began = self.books()["inFlight"], time.perf_counter()
        while self.books()["inFlight"]:
            threading.Event().wait(0.2)
        return waiting, waiting / (time.perf_counter() - began)

    def sustained(self, rate: float, seconds: float) -> tuple[float, int]:
        """`rate` events/s in batches, open loop: events/s stored, and events that wait at the end."""
        before = self.books()["stored"]
        requests = int(rate / 100 * seconds) + 1
        told = self.send(seconds, batch=100, requests=requests, connections=128, rate=rate / 100)
        books = self.books()
        return (books["stored"] - before) / told["seconds"], books["inFlight"]


def measure(options: argparse.Namespace, scratch: Path) -> None:
    """The whole run."""
    data = options.folder or scratch / "data"
    show("fsync (4 KiB write + fdatasync)", f"{fsyncs_per_second(scratch):,.0f} /s")
    with LocalInstallation(data, postgres_options={"shared_preload_libraries": "pg_stat_statements"}) as installation:
        limit = combined_limit(installation, options.seconds)
        port = free_port()
        target = Target(
            [sys.executable, "-m", "telemetry_slice", "serve", "--role", "all", "--port", str(port)],
            port,
            "/health/ready",
            installation.settings,
        )
        try:
            show("start of all roles to ready", f"{target.start_s:.2f} s")
            keys, service = asyncio.run(make_tenants(data, f"http://127.0.0.1:{port}"))
            keys_file = scratch / "keys"
            # Neighbours in time are of different tenants.
            keys_file.write_text("\n".join(key for several in zip(*keys.values(), strict=True) for key in several))
            server = installation.postgres
            measured = Measured(target, server.url_of("postgres", server.password, DATABASE), keys, service, keys_file)
            stored_alone(installation, measured, min(keys), options.rows)
            run(measured, options, limit)
            dashboard.measure(measured.target, measured.ask, service, measured.key, installation.valkey)
            books = measured.books()
            balanced = "balanced" if books["balanced"] else "NOT BALANCED"
            show("books", balanced, f"{books['stored']:,} stored, {books['duplicate']:,} duplicate")
            show("peak memory of all roles (2 API, 2 writers, scheduler)", f"{target.peak_mb():.0f} MB")
            measured.close()
        finally:
            target.stop()


def combined_limit(installation: LocalInstallation, seconds: float) -> float:
    """Events/s that the processors would allow if nothing but the bare parts cost anything."""
    found = {
        "bare ASGI: decode batches of 100, with the load": parts.decode(seconds),
        "bare JetStream publish of 100 events, fsync always": parts.publish(installation.nats, seconds),
        "bare binary COPY and claim, 5,000 events": parts.copy_and_claim(installation.postgres, seconds),
    }
    for name, part in found.items():
        show(name, f"{part.events_per_s:,.0f} events/s", f"{part.cpu_s * 1e6:.1f} µs of CPU an event")
    limit = (os.cpu_count() or 1) / sum(part.cpu_s for part in found.values())
    show("combined limit: processors ÷ their sum", f"{limit:,.0f} events/s")
    return limit


_SIZE = """
    SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
    WHERE relkind = 'r' AND (relname LIKE 'event_ledger%' OR relname LIKE 'telemetry_events%')
"""


def stored_alone(installation: LocalInstallation, measured: Measured, tenant_id: str, rows: int) -> None:
    """The store without HTTP and queue, and what it takes on disk."""
    before = measured.ask(_SIZE)
    took = asyncio.run(fill(installation, tenant_id, rows))
    size = measured.ask(_SIZE) - before
    show(f"bulk store of {rows:,} readings", f"{rows / took:,.0f} rows/s", "straight through the store")
    show("on disk, ledger, events and index", f"{size / rows:.0f} B/event", "≤ 260")
    measured.ask("CHECKPOINT")
    os.sync()


def best_sustained(measured: Measured, rates: Iterable[float], seconds: float) -> tuple[float, float, int]:
    """The first of the falling `rates` that is sustained: rate, events/s stored, events that wait at its end."""
    for rate in rates:
        stored, waiting = measured.sustained(rate, seconds)
        if waiting <= LAG_S * rate:
            return rate, stored, waiting
        show(f"  tried: {rate:,.0f} events/s, open loop", f"{stored:,.0f} stored/s", f"{waiting:,} waiting at the end")
        measured.drain()
    return rate, stored, waiting


def run(measured: Measured, options: argparse.Namespace, limit: float) -> None:
    """Load of every kind."""
    seconds = options.seconds
    before = cpu_times()
    measured.send(5, batch=100, requests=200, connections=8)
    accepted, meanwhile, _ = measured.burst(seconds)
    waited, drained = measured.drain()
    show(
        "burst of batches, durably accepted",
        f"{accepted:,.0f} events/s",
        f"≥ 120,000; {meanwhile:,.0f} stored/s meanwhile",
    )
    show(f"a backlog of {waited:,} drains, two writers", f"{drained:,.0f} events/s", "≥ 100,000")
    # What accepting costs alone, from what was stored beside it; then the rate at which both fill the processors.
    alone = accepted / max(0.1, 1 - meanwhile / drained) if drained else accepted
    both = 1 / (1 / alone + 1 / drained) if drained else accepted
    rates = [both * share for share in (1.0, 0.85, 0.7, 0.55)][:ROUNDS]
    rate, stored, waiting = best_sustained(measured, rates, options.sustained)
    show(
        f"stored end to end for {options.sustained:.0f} s, batches of 100",
        f"{stored:,.0f} events/s",
        f"≥ 45,000; {stored / limit:.2f} of the combined limit (≥ 0.5); {waiting:,} waiting at the end",
    )
    # Every key with the device of its own becomes known to every API process.
    measured.singles(60, requests=8 * TENANTS * KEYS_EACH, connections=64)
    single = measured.singles(seconds, requests=int(9_000 * seconds), connections=64)
    show(
        f"durable single events, {TENANTS} tenants, {TENANTS * KEYS_EACH:,} keys",
        f"{single['requests_per_s']:,.0f} /s",
        f"≥ 4,000; {json.dumps(single['statuses'])}",
    )
    measured.drain()
    half: list[tuple[str, Callable[..., dict[str, Any]], float]] = [
        ("batches", lambda **o: measured.send(seconds, batch=100, **o), rate / 200),
        ("singles", lambda **o: measured.singles(seconds, **o), single["requests_per_s"] / 2),
    ]
    for what, send, pace in half:
        with Visible(measured.target.port, measured.service, measured.key) as visible:
            paced = send(requests=int(pace * seconds) + 1, connections=256, rate=pace)
        show(
            f"ack at half load, {what}, open loop: p50 / p99",
            f"{paced['p50_ms']:.1f} / {paced['p99_ms']:.1f} ms",
            "≤ 50 ms",
        )
        show(f"  then visible to a query / live, {visible.count} probes: p99", visible.summary(), "≤ 1 s")
    show_machine("writing", before)
