"""What time does to stored events: retention, and the disk filling up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from ..model.errors import UnavailableError
from ..model.times import DAY_US, HOUR_US
from ..observe import DISK_FREE_BYTES, EXPIRED_EVENTS, INGEST_CLOSED
from ..ports.edge import Clock
from ..ports.events import EventStore

log = structlog.get_logger()

RETENTION_EVERY_S = 600.0
LOOK_EVERY_S = 1.0
SAMPLES = 1_440
SAMPLE_EVERY_US = DAY_US // SAMPLES
SHORTEST_FORECAST_US = 6 * HOUR_US
"""The first hours say nothing of a day: a server that has just filled its files seems to grow without measure."""
REOPEN = 1.25
"""Ingest reopens when a quarter more than the reserve is free, so that it does not flap."""


Told = Callable[[int], Awaitable[None]]
"""Called with how many were let go of since it was called last."""


async def keep_retention(store: EventStore, clock: Clock, days: int, told: Told) -> None:
    """Delete readings recorded more than `days` days ago, step by step, for ever.

    `told` hears of the first ones at once, and of what follows once a day.
    """
    gone, tell_from_us = 0, clock.now_us()
    while True:
        try:
            while deleted := await store.expire(clock.now_us() - days * DAY_US):
                gone += deleted
                EXPIRED_EVENTS.inc(deleted)
                log.info("readings_expired", events=deleted, days=days)
                # Between steps the writer belongs to the senders.
                await asyncio.sleep(0.05)
        except UnavailableError as error:
            log.warning("retention_postponed", error=str(error))
        if gone and clock.now_us() >= tell_from_us:
            await told(gone)
            gone, tell_from_us = 0, clock.now_us() + DAY_US
        await asyncio.sleep(RETENTION_EVERY_S)


class Ledger(Protocol):
    """What knows the ids that were stored."""

    async def drop_ledger_weeks(self, before_us: int) -> int:
        """Let go of the ids of the weeks that ended before `before_us`; how many weeks were let go of."""


async def keep_ledger(ledger: Ledger, clock: Clock, days: int, told: Told) -> None:
    """Let go of the ids made more than `days` days ago, for ever; `told` hears of each week that goes."""
    while True:
        try:
            if dropped := await ledger.drop_ledger_weeks(clock.now_us() - days * DAY_US):
                log.info("ledger_weeks_dropped", weeks=dropped, days=days)
                await told(dropped)
        except UnavailableError as error:
            log.warning("ledger_postponed", error=str(error))
        await asyncio.sleep(RETENTION_EVERY_S)


class Disk(Protocol):
    """Where the data lies."""

    def usage(self) -> tuple[int, int]:
        """(bytes of data, free bytes)."""


@dataclass(frozen=True, slots=True)
class Storage:
    """How full the disk is. `bytes_per_day` and `days_left` are None until there is something to reckon from."""

    data_bytes: int
    free_bytes: int
    bytes_per_day: int | None
    days_left: float | None
    closed: str | None


class StorageGuard:
    """Closes ingest before the disk is full, reopens it by itself, and reckons how long the space will last."""

    def __init__(self, disk: Disk, clock: Clock, reserve_bytes: int, close: Callable[[str | None], None]) -> None:
        self._disk = disk
        self._clock = clock
        self._reserve_bytes = reserve_bytes
        self._close = close
        self._closed: str | None = None
        # (time, bytes of data), one a minute for a day.
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)

    def look(self) -> Storage:
        """Measure once, and close or reopen ingest."""
        now_us = self._clock.now_us()
        data, free = self._disk.usage()
        if not self._samples or now_us - self._samples[-1][0] >= SAMPLE_EVERY_US:
            self._samples.append((now_us, data))
        if self._closed is None and free < self._reserve_bytes:
            self._closed = f"the disk is nearly full: {free} bytes are free, {self._reserve_bytes} are kept in reserve"
            log.error("ingest_closed", free_bytes=free, reserve_bytes=self._reserve_bytes)
            self._close(self._closed)
        elif self._closed is not None and free >= self._reserve_bytes * REOPEN:
            self._closed = None
            log.warning("ingest_reopened", free_bytes=free)
            self._close(None)
        DISK_FREE_BYTES.set(free)
        INGEST_CLOSED.set(self._closed is not None)
        per_day = self._bytes_per_day(now_us, data)
        room = max(0, free - self._reserve_bytes)
        return Storage(data, free, per_day, room / per_day if per_day else None, self._closed)

    def _bytes_per_day(self, now_us: int, data: int) -> int | None:
        if not self._samples:
            return None
        first_us, first = self._samples[0]
        elapsed = now_us - first_us
        return None if elapsed < SHORTEST_FORECAST_US else max(0, (data - first) * DAY_US // elapsed)

    async def watch(self) -> None:
        """Look every second, for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)
