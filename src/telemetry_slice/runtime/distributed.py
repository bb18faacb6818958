"""The distributed installation: PostgreSQL, JetStream and Valkey between API processes, writers and a scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from ..engines.inprocess import LocalCache, SystemClock, TokenBuckets
from ..engines.nats.envelope import largest_message_bytes
from ..engines.nats.lanes import Lanes
from ..engines.nats.queue import JetStreamQueue
from ..engines.nats.settings import LaneSettings
from ..engines.postgres.connections import Connections
from ..engines.postgres.leader import Leader
from ..engines.postgres.placed import PlacedReaders, PlacedStore
from ..engines.postgres.reads import open_reading, readers_over
from ..engines.postgres.registry import open_registry
from ..engines.postgres.replicas import ReplicatedReaders
from ..engines.postgres.store import CONNECTIONS
from ..engines.redis.bus import RedisBus
from ..engines.redis.cache import RedisCache
from ..engines.redis.limiter import RedisLimiter
from ..engines.sql.placements import Placements
from ..engines.sql.readers import TenantReaders
from ..engines.sql.registry import Registry
from ..flow.access import signers_of
from ..flow.audit import Auditor
from ..flow.erasing import Erasing
from ..flow.writer import Writer, run_writers
from ..model.errors import UnavailableError
from ..model.placement import Placement
from ..model.times import DAY_US
from ..ports.edge import Clock
from ..settings import Settings
from .erasing.database import DatabaseErasing
from .jobs import Jobs
from .placing import place
from .platform import (
    DRAIN_S,
    FLUSH_EVERY_S,
    Front,
    Loop,
    Loops,
    Platform,
    Role,
    every,
    settle_collector,
)
from .secrets import access_secrets, kept_secrets

log = structlog.get_logger()

WRITER_LOOPS = 2
"""One leases and prepares while another waits for the database."""
GATHER_S = 0.1
"""A transaction costs as much as a hundred events in it: single events under load share one for so long. The first
after a quiet moment goes at once."""
SHARED_LANE = "shared"
PARTITIONS_EVERY_S = 3_600.0
PARTITIONS_AHEAD_US = 62 * DAY_US


def url_of(value: str | None) -> str:
    """A setting that `Settings` has made sure of."""
    if value is None:
        raise ValueError("the installation is not distributed")
    return value


def lanes_of(settings: Settings) -> dict[str | None, JetStreamQueue]:
    """The lane of each placement database, by its name; None = the one of the installation's own database."""
    lanes: dict[str | None, JetStreamQueue] = {None: _lane(settings, SHARED_LANE, settings.queue_bytes)}
    for name, database in settings.placement_databases.items():
        lanes[name] = _lane(settings, f"database-{name}", database.queue_bytes)
    return lanes


def _lane(settings: Settings, lane: str, max_bytes: int) -> JetStreamQueue:
    largest = largest_message_bytes(settings.max_decoded_bytes, settings.max_request_events)
    return JetStreamQueue(
        LaneSettings(
            tuple(url.strip() for url in settings.queue_url.split(",")),
            lane=lane,
            monitor_url=settings.queue_monitor_url,
            durability_assumed=settings.queue_durability == "assumed",
            replicas=settings.queue_replicas,
            max_bytes=max_bytes,
            max_message_bytes=largest,
        )
    )


class Databases:
    """The registry, and reading side and store of all placements, that one process works with.

    Attributes:
        replicated: what answers reads on the installation's own database where there are replicas of it.
    """

    def __init__(self, settings: Settings, clock: Clock, *, replica_urls: Sequence[str] = ()) -> None:
        urls: dict[str | None, tuple[str, str]] = {
            None: (url_of(settings.database_url), url_of(settings.database_writer_url))
        }
        urls |= {name: (database.url, database.writer_url) for name, database in settings.placement_databases.items()}
        self.registry = open_registry(url_of(settings.database_url), clock)
        placements = Placements(self.registry.database)
        self._reading = {name: open_reading(api_url) for name, (api_url, _) in urls.items()}
        self._direct = {name: readers_over(engine) for name, engine in self._reading.items()}
        self.replicated: ReplicatedReaders | None = None
        readers: dict[str | None, TenantReaders] = dict(self._direct)
        if replica_urls:
            self.replicated = readers[None] = ReplicatedReaders(
                self._direct[None], url_of(settings.database_url), replica_urls, max_lag_s=settings.replica_max_lag_s
            )
        self.readers = PlacedReaders(placements, readers)
        self.store = PlacedStore(
            placements,
            {name: Connections(writer_url, size=CONNECTIONS) for name, (_, writer_url) in urls.items()},
            self.readers,
            series_limit=settings.max_series,
        )

    def close(self) -> None:
        self.store.close()
        if self.replicated:
            self.replicated.close()
        for readers in self._direct.values():
            readers.close()
        for engine in self._reading.values():
            engine.dispose()
        self.registry.close()


def _tell_nobody(_url: str) -> None:
    """The address belongs to the supervisor that owns the socket."""


def build_api(settings: Settings) -> Platform:
    """One of the API processes; they share nothing but the servers and the folder's secrets."""
    clock = SystemClock()
    databases = Databases(settings, clock, replica_urls=settings.replica_urls)
    replicated = databases.replicated
    queue = Lanes(lanes_of(settings))
    bus = RedisBus(url_of(settings.redis_url))
    cache = RedisCache(url_of(settings.redis_url), LocalCache(max_rows=0))
    limiter = RedisLimiter(url_of(settings.redis_url), TokenBuckets())
    front = Front(
        settings,
        clock,
        registry=databases.registry,
        readers=databases.readers,
        store=databases.store,
        queue=queue,
        bus=bus,
        cache=cache,
        limiter=limiter,
        storage=None,
        place=partial(place, settings),
        lag_s=settings.replica_max_lag_s if replicated else 0.0,
    )
    loops = Loops()

    async def start() -> None:
        await queue.start()
        await bus.start()
        await limiter.start()
        await cache.start()
        bus.expect_outcomes(front.gate.totals.incarnation)
        await front.flush()
        loops.start(*front.housekeeping)
        if replicated:
            loops.start(replicated.watch)
        settle_collector()
        front.state.reason = None

    async def stop() -> None:
        """1. no longer ready; 2. what waits is durable; 3. counts and keys' use are kept; 4. engines close."""
        front.state.reason = "stopping"
        await queue.close()
        try:
            async with asyncio.timeout(DRAIN_S):
                await front.flush()
                await front.access.tidy()
                await front.auditor.write_down()
        except (TimeoutError, UnavailableError) as error:
            log.warning("stopped_without_flushing", error=str(error))
        await loops.end()
        await bus.stop()
        await limiter.stop()
        await cache.stop()
        front.access.close()
        await asyncio.to_thread(databases.close)

    return Platform(front.app, front.services, start=start, stop=stop, tell_url=_tell_nobody, state=front.state)


def build_worker(settings: Settings) -> Role:
    """One of the writers: queue → store. Each lane has a writer of its own, which waits for its database alone."""
    databases = Databases(settings, SystemClock())
    lanes = lanes_of(settings)
    bus = RedisBus(url_of(settings.redis_url))
    loops = Loops()

    def writer_of(name: str | None) -> Writer:
        # Whatever waits in the lane of a placement database belongs there: no registry is asked.
        store = databases.store if name is None else databases.store.at(Placement(database=name))
        return Writer(lanes[name], store, bus, max_events=settings.batch_events, gather_s=GATHER_S)

    async def start() -> None:
        await asyncio.gather(*(lane.start() for lane in lanes.values()))
        await bus.start()
        loops.start(*(partial(run_writers, writer_of(name), WRITER_LOOPS) for name in lanes))
        settle_collector()

    async def stop() -> None:
        """What is leased and not settled is given back: another writer, or this one after a restart, has it next."""
        await loops.end()
        await asyncio.gather(*(lane.close() for lane in lanes.values()))
        await bus.stop()
        await asyncio.to_thread(databases.close)

    return Role(start=start, stop=stop)


def erasing_of(settings: Settings, registry: Registry, clock: Clock) -> Erasing:
    """What erases tenants: the duty of one process for all."""
    writer_urls: dict[str | None, str] = {None: url_of(settings.database_writer_url)}
    writer_urls |= {name: database.writer_url for name, database in settings.placement_databases.items()}
    telemetry = DatabaseErasing(url_of(settings.database_url), writer_urls, lambda: lanes_of(settings))
    return Erasing(registry.erasures, telemetry, registry.audit, clock)


def build_scheduler(settings: Settings) -> Role:
    """What is done once for all: partitions made ahead, backfills, retention. Several may run; one works."""
    clock = SystemClock()
    databases = Databases(settings, clock)
    leader = Leader(url_of(settings.database_writer_url))
    loops = Loops()

    async def make_partitions() -> None:
        while True:
            made = await databases.store.ensure_partitions(clock.now_us(), PARTITIONS_AHEAD_US)
            if made:
                log.info("partitions_made", count=made)
            await asyncio.sleep(PARTITIONS_EVERY_S)

    secrets = access_secrets(kept_secrets(settings))
    signers = signers_of(secrets, databases.registry, clock)
    auditor = Auditor(databases.registry.audit)
    jobs = Jobs(auditor, clock)
    duties: list[Loop] = [
        make_partitions,
        jobs.backfill(databases.store.backfill),
        jobs.signing(signers, settings.signing_key_days),
        jobs.renewal(secrets, databases.registry),
        erasing_of(settings, databases.registry, clock).run,
        jobs.expiry(databases.registry, settings.key_warning_days),
    ]
    if settings.retention_days is not None:
        duties.append(jobs.retention(databases.store, settings.retention_days))
    if settings.ledger_days is not None:
        duties.append(jobs.ledger(databases.store, settings.ledger_days))

    async def start() -> None:
        loops.start(partial(leader.lead, duties), partial(every, FLUSH_EVERY_S, auditor.write_down))

    async def stop() -> None:
        await loops.end()
        await auditor.write_down()
        await asyncio.to_thread(databases.close)

    return Role(start=start, stop=stop)
