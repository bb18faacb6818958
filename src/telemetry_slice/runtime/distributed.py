"""The distributed installation: PostgreSQL, JetStream and Valkey between API processes, writers and a scheduler."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from ..engines.inprocess import LocalCache, SystemClock, TokenBuckets
from ..engines.nats.envelope import largest_message_bytes
from ..engines.nats.queue import JetStreamQueue
from ..engines.nats.settings import LaneSettings
from ..engines.postgres.leader import Leader
from ..engines.postgres.migrate import migrate
from ..engines.postgres.reads import open_reading, readers_over
from ..engines.postgres.registry import open_registry
from ..engines.postgres.roles import API, MIGRATION, WRITER, install_named
from ..engines.postgres.store import PostgresStore
from ..engines.redis.bus import RedisBus
from ..engines.redis.cache import RedisCache
from ..engines.redis.limiter import RedisLimiter
from ..engines.sql.letters import LetterReads
from ..engines.sql.readers import Readers
from ..flow.history import keep_retention
from ..flow.writer import Writer, run_writers
from ..model.errors import UnavailableError
from ..model.times import DAY_US
from ..settings import Settings
from .platform import DRAIN_S, Front, Loop, Loops, Platform, Role, settle_collector

log = structlog.get_logger()

WRITER_LOOPS = 2
"""One leases and prepares while another waits for the database."""
PARTITIONS_EVERY_S = 3_600.0
PARTITIONS_AHEAD_US = 62 * DAY_US


def url_of(value: str | None) -> str:
    """A setting that `Settings` has made sure of."""
    if value is None:
        raise ValueError("the installation is not distributed")
    return value


def queue_of(settings: Settings) -> JetStreamQueue:
    """The lane that all tenants share."""
    largest = largest_message_bytes(settings.max_decoded_bytes, settings.max_request_events)
    return JetStreamQueue(
        LaneSettings(
            tuple(url.strip() for url in settings.queue_url.split(",")),
            monitor_url=settings.queue_monitor_url,
            durability_assumed=settings.queue_durability == "assumed",
            replicas=settings.queue_replicas,
            max_bytes=settings.queue_bytes,
            max_message_bytes=largest,
        )
    )


class _Database:
    """The reading side and the store that one process works with."""

    def __init__(self, settings: Settings) -> None:
        self.reading = open_reading(url_of(settings.database_url))
        self.readers: Readers = readers_over(self.reading)
        self.store = PostgresStore(
            url_of(settings.database_writer_url), LetterReads(self.readers), series_limit=settings.max_series
        )

    def close(self) -> None:
        self.store.close()
        self.readers.close()
        self.reading.dispose()


def _tell_nobody(_url: str) -> None:
    """The address belongs to the supervisor that owns the socket."""


def migrate_distributed(settings: Settings) -> None:
    """Bring the database's schemas up to date; with an administrator's address, after making what is missing of roles.

    Raises:
        ValueError: an address is missing or does not fit.
        UnavailableError: the server cannot be reached or refuses.
        NewerSchemaError: a newer release has written it.
    """
    migration_url = settings.database_migration_url
    if migration_url is None:
        raise ValueError("TSLICE_DATABASE_MIGRATION_URL must be set: the role that may change tables")
    if settings.database_admin_url is not None:
        urls = {
            MIGRATION: migration_url,
            API: url_of(settings.database_url),
            WRITER: url_of(settings.database_writer_url),
        }
        install_named(settings.database_admin_url, urls)
    migrate(migration_url)


def build_api(settings: Settings) -> Platform:
    """One of the API processes; they share nothing but the servers and the folder's secrets."""
    clock = SystemClock()
    registry = open_registry(url_of(settings.database_url), clock)
    database = _Database(settings)
    queue = queue_of(settings)
    bus = RedisBus(url_of(settings.redis_url))
    cache = RedisCache(url_of(settings.redis_url), LocalCache(max_rows=0))
    limiter = RedisLimiter(url_of(settings.redis_url), TokenBuckets())
    front = Front(
        settings,
        clock,
        registry=registry,
        readers=database.readers,
        store=database.store,
        queue=queue,
        bus=bus,
        cache=cache,
        limiter=limiter,
        storage=None,
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
        except (TimeoutError, UnavailableError) as error:
            log.warning("stopped_without_flushing", error=str(error))
        await loops.end()
        await bus.stop()
        await limiter.stop()
        await cache.stop()
        front.access.close()
        await asyncio.to_thread(database.close)
        await asyncio.to_thread(registry.close)

    return Platform(front.app, front.services, start=start, stop=stop, tell_url=_tell_nobody, state=front.state)


def build_worker(settings: Settings) -> Role:
    """One of the writers: queue → store."""
    database = _Database(settings)
    queue = queue_of(settings)
    bus = RedisBus(url_of(settings.redis_url))
    writer = Writer(queue, database.store, bus, max_events=settings.batch_events)
    loops = Loops()

    async def start() -> None:
        await queue.start()
        await bus.start()
        loops.start(partial(run_writers, writer, WRITER_LOOPS))
        settle_collector()

    async def stop() -> None:
        """What is leased and not settled is given back: another writer, or this one after a restart, has it next."""
        await loops.end()
        await queue.close()
        await bus.stop()
        await asyncio.to_thread(database.close)

    return Role(start=start, stop=stop)


def build_scheduler(settings: Settings) -> Role:
    """What is done once for all: partitions made ahead, retention. Several may run; one works."""
    clock = SystemClock()
    database = _Database(settings)
    leader = Leader(url_of(settings.database_writer_url))
    loops = Loops()

    async def make_partitions() -> None:
        while True:
            made = await database.store.ensure_partitions(clock.now_us(), PARTITIONS_AHEAD_US)
            if made:
                log.info("partitions_made", count=made)
            await asyncio.sleep(PARTITIONS_EVERY_S)

    duties: list[Loop] = [make_partitions]
    if settings.retention_days is not None:
        duties.append(partial(keep_retention, database.store, clock, settings.retention_days))

    async def start() -> None:
        loops.start(partial(leader.lead, duties))

    async def stop() -> None:
        await loops.end()
        await asyncio.to_thread(database.close)

    return Role(start=start, stop=stop)
