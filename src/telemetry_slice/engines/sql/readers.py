"""A few threads that read, shared fairly between tenants, each statement under a deadline."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ...model.errors import Code, SliceError, UnavailableError
from ...model.events import TenantNo

T = TypeVar("T")

THREADS = 4
TENANT_THREADS = 2
TENANT_WAITING = 64
DEADLINE_S = 15.0


def interrupt_sqlite(driver: Any) -> None:
    """End what a connection of the SQLite engine is doing."""
    driver.apsw_connection.interrupt()


class TenantReaders(Protocol):
    """Whatever runs a reading function where the tenant's telemetry lies."""

    async def run(self, tenant: TenantNo, read: Callable[[Connection], T]) -> T:
        """What `read` returns.

        Raises:
            SliceError: CAPACITY if too many reads of the tenant wait, also if it took longer than the deadline.
            UnavailableError: the database cannot be read.
        """


class _Share:
    """One tenant's share of the threads."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(TENANT_THREADS)
        self.users = 0


class Readers:
    """Runs reading functions in threads, each in one transaction on a connection of `engine`.

    One tenant occupies at most `TENANT_THREADS` of the threads and waits with at most `TENANT_WAITING` reads.
    What the databases do each in their own way is handed in: `interrupt` ends what a driver's connection is doing,
    from another thread and at once; `begin` is called first in the transaction of a read for a tenant.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        interrupt: Callable[[Any], None] = interrupt_sqlite,
        begin: Callable[[Connection, TenantNo], None] | None = None,
        threads: int = THREADS,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._engine = engine
        self._interrupt = interrupt
        self._begin = begin
        self._deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._shares: dict[TenantNo, _Share] = {}

    async def run(self, tenant: TenantNo, read: Callable[[Connection], T]) -> T:
        """As `TenantReaders.run`."""
        share = self._shares.setdefault(tenant, _Share())
        if share.users >= TENANT_THREADS + TENANT_WAITING:
            raise SliceError(Code.CAPACITY, "Too many reads of this tenant are waiting.", retry_after_s=1.0)
        share.users += 1
        try:
            async with share.free:
                return await self._run(tenant, read)
        finally:
            share.users -= 1
            if not share.users:
                self._shares.pop(tenant, None)

    async def _run(self, tenant: TenantNo, read: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        watch = _Watch(self._interrupt)
        timer: asyncio.TimerHandle | None = None

        def started() -> None:
            nonlocal timer
            if not work.done():
                timer = loop.call_later(self._deadline_s, watch.interrupt)

        def transaction() -> T:
            try:
                with self._engine.connect() as connection, watch.over(connection):
                    # Connecting has a deadline of its own.
                    loop.call_soon_threadsafe(started)
                    if self._begin is not None:
                        self._begin(connection, tenant)
                    return read(connection)
            except DBAPIError as error:
                if watch.interrupted:
                    detail = f"The answer took longer than {self._deadline_s:g} s: ask for a shorter range."
                    raise SliceError(Code.CAPACITY, detail, retry_after_s=5.0) from error
                raise UnavailableError(str(error.orig)) from error

        work = loop.run_in_executor(self._threads, transaction)
        try:
            # The thread goes on when the caller is gone: stop it, and wait, so that the share stays honest.
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            watch.interrupt()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Wait for the reads under way and end the threads."""
        self._threads.shutdown(cancel_futures=True)


class _Watch:
    """Interrupts a read from the event loop while it runs, never the next read on the same connection."""

    def __init__(self, interrupt: Callable[[Any], None]) -> None:
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None
        self.interrupted = False

    @contextmanager
    def over(self, connection: Connection) -> Iterator[None]:
        """Let `interrupt` reach `connection`. Raises UnavailableError if it came before."""
        driver: Any = connection.connection.driver_connection
        with self._lock:
            if self.interrupted:
                raise UnavailableError("interrupted before it began")
            self._stop = lambda: self._interrupt(driver)
        try:
            yield
        finally:
            with self._lock:
                self._stop = None

    def interrupt(self) -> None:
        """Stop the read, now or when it begins."""
        with self._lock:
            self.interrupted = True
            if self._stop is not None:
                self._stop()
