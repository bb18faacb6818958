"""A primary with its replica, who writes and who lists: for tests of reads that are spread over both."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager, contextmanager, suppress

import psutil
import psycopg
from sqlalchemy import text

from telemetry_slice.engines.inprocess import LocalCache, SystemClock
from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.postgres.replicas import ReplicatedReaders
from telemetry_slice.engines.postgres.roles import API
from telemetry_slice.engines.postgres.store import PostgresStore
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.flow.query import Asked, Query
from telemetry_slice.observe import READ_FALLBACKS, READS

DATABASE = "replica_tests"
MAX_LAG_S = 5.0
PATIENCE_S = 90.0
ZONES = 4
ZONE_US = 1_000_000_000
START_US = 1_780_000_000_000_000

WHERE = text("SELECT pg_is_in_recovery()")


def is_replica(connection):
    return connection.scalar(WHERE)


async def eventually(condition, what):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what


class Cluster:
    """A primary, one of its replicas, and superusers of both."""

    def __init__(self, primary, standby, urls):
        self.primary = primary
        self.standby = standby
        self.urls = urls

    @property
    def replica_url(self):
        return self.standby.url_of(API, self.standby.password_of(API), DATABASE)

    def on_primary(self, statement):
        url = self.primary.url_of("postgres", self.primary.password, DATABASE)
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statement)

    def on_standby(self, statement):
        url = self.standby.url_of("postgres", self.standby.password, DATABASE)
        while True:
            # Whatever runs on a standby may be in the way of its replay.
            with suppress(psycopg.errors.SerializationFailure), psycopg.connect(url, autocommit=True) as connection:
                connection.execute(statement)
                return

    @contextmanager
    def paused(self):
        """A replica that receives and does not replay."""
        self.on_standby("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            self.on_standby("SELECT pg_wal_replay_resume()")

    @contextmanager
    def frozen(self):
        """A replica that keeps its connections and answers nothing."""
        postmaster = psutil.Process(self.standby.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for each in processes:
            each.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for each in processes:
                each.send_signal(signal.SIGCONT)


@asynccontextmanager
async def reading(cluster, *urls):
    """Readers over the primary and the replicas at `urls`, watched."""
    engine = open_reading(cluster.urls.api_url)
    primary = readers_over(engine)
    replicated = ReplicatedReaders(primary, cluster.urls.api_url, urls, max_lag_s=MAX_LAG_S)
    watch = asyncio.create_task(replicated.watch())
    try:
        yield replicated
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await asyncio.to_thread(replicated.close)
        await asyncio.to_thread(primary.close)
        engine.dispose()


class Writer:
    """Appends batches one after the other; each has one event in every zone of time, at the place of its number."""

    def __init__(self, cluster, tenant, device_no, gate):
        self._engine = open_reading(cluster.urls.api_url)
        self._readers = readers_over(self._engine)
        self.store = PostgresStore(cluster.urls.writer_url, self._readers, series_limit=50)
        self.tenant = tenant
        self.device_no = device_no
        self.gate = gate
        self.written = 0

    async def write(self, *, doomed=False):
        """One more batch; `doomed` = its last event becomes a dead letter."""
        number = self.written
        events = [(f"{number}-{zone}", START_US + zone * ZONE_US + number, number) for zone in range(ZONES)]
        message = self.gate.message((self.tenant.no, events))
        message.batches[0].devices[:] = [self.device_no] * ZONES
        if doomed:
            message.batches[0].doomed[ZONES - 1] = "clock"
        await self.store.append([message])
        self.written += 1

    def close(self):
        self.store.close()
        self._readers.close()
        self._engine.dispose()


SPAN = Asked(START_US, START_US + ZONES * ZONE_US)


async def page(query, tenant, *, limit, cursor=None, descending=False):
    return await query.readings(tenant, "dev-1", SPAN, types=None, descending=descending, limit=limit, cursor=cursor)


def zones_of(found, *, descending=False):
    """For each zone, in the order that it was read, how many batches it showed. Fails on gaps and on repetitions."""
    counts = []
    for zone in range(ZONES - 1, -1, -1) if descending else range(ZONES):
        numbers = [int(r.value) for r in found if (r.recorded_us - START_US) // ZONE_US == zone]
        expected = list(range(len(numbers)))
        assert numbers == (expected[::-1] if descending else expected), f"gaps or repetitions in zone {zone}"
        counts.append(len(numbers))
    return counts


async def list_all(query, tenant, *, limit, descending=False):
    found, cursor = await page(query, tenant, limit=limit, descending=descending)
    found = list(found)
    while cursor:
        more, cursor = await page(query, tenant, limit=limit, cursor=cursor, descending=descending)
        found += more
    return zones_of(found, descending=descending)


def answered_by(node):
    return READS.labels(node)._value.get()


def fallbacks(reason):
    return READ_FALLBACKS.labels(reason)._value.get()


async def roam(clusters, registry, tenant, writer, rnd, steps):
    """Do something to a replica, `steps` times, each for some listings, and look at every listing."""
    async with reading(clusters[0], *(each.replica_url for each in clusters)) as replicated:
        query = Query(SqlTelemetry(replicated), registry.devices, SystemClock(), b"secret" * 6, LocalCache())
        await eventually(lambda: all(each.may_answer for each in replicated.replicas), "the replicas serve")
        names = [replica.name for replica in replicated.replicas]
        before = {name: answered_by(name) for name in (*names, "primary")}
        listings = 0
        ended = asyncio.Event()
        # (when, how many had been written by then)
        history = []

        async def keep_writing():
            while not ended.is_set():
                if writer.written < 300 * (listings + 1):
                    await writer.write()
                    history.append((time.monotonic(), writer.written))
                else:
                    await asyncio.sleep(0.001)

        async def keep_listing():
            nonlocal listings
            while not ended.is_set():
                old = time.monotonic() - MAX_LAG_S
                descending = rnd.random() < 0.5
                counts = await list_all(query, tenant, limit=rnd.randint(20, 200), descending=descending)
                assert counts == sorted(counts), f"a later page saw less: {counts}"
                assert counts[0] >= max((number for moment, number in history if moment < old), default=0)
                listings += 1

        async def some_listings():
            wanted = listings + 2
            await eventually(lambda: listings >= wanted or writing.done() or listing.done(), "the reader goes on")
            return not (writing.done() or listing.done())

        writing, listing = asyncio.create_task(keep_writing()), asyncio.create_task(keep_listing())
        try:
            for _ in range(steps):
                if not await some_listings():
                    break
                victim = rnd.choice(clusters)
                step = rnd.choice(["pause", "freeze", "kill", "stop"])
                if step in ("pause", "freeze"):
                    with victim.paused() if step == "pause" else victim.frozen():
                        await some_listings()
                else:
                    await asyncio.to_thread(victim.standby.kill if step == "kill" else victim.standby.stop)
                    await some_listings()
                    await asyncio.to_thread(victim.standby.start)
        finally:
            ended.set()
            await asyncio.gather(writing, listing)
        await eventually(lambda: all(each.may_answer for each in replicated.replicas), "the replicas are back")
        assert all(answered_by(name) > before[name] for name in before)
