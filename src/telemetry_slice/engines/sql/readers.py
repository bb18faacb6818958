"""A few threads that read, shared fairly between tenants, each statement under a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ...model.errors import Code, SliceError, UnavailableError
from ...model.events import TenantNo
from ...model.series import Seen
from .watch import Watch

T = TypeVar("T")

THREADS = 4
TENANT_THREADS = 2
TENANT_WAITING = 64
DEADLINE_S = 15.0


def interrupt_sqlite(driver: Any) -> None:
    """End what a connection of the SQLite engine is doing."""
    driver.apsw_connection.interrupt()


class TenantReaders(Protocol):
    """Whatever runs a reading function where the telemetry of a tenant lies."""

    async def run(self, tenant: TenantNo, read: Callable[[Connection], T], seen: Seen | None = None) -> T:
        """What `read` returns, on a connection whose open transaction is one snapshot and sees one tenant.

        The snapshot holds whatever `seen` has seen, which moves on to it. `read` may be called more than once.

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

    async def run(self, tenant: TenantNo, read: Callable[[Connection], T], seen: Seen | None = None) -> T:
        """See `TenantReaders`. All reads see the same database: there is nothing to remember of what was `seen`."""
        del seen
        share = self._shares.setdefault(tenant, _Share())
        if share.users >= TENANT_THREADS + TENANT_WAITING:
            raise SliceError(Code.CAPACITY, "Too many reads of this tenant are waiting.", retry_after_s=1.0)
        share.users += 1
        try:
            try:
                async with asyncio.timeout(self._deadline_s):
                    await share.free.acquire()
            except TimeoutError:
                raise SliceError(Code.CAPACITY, "The reads before this one take too long.", retry_after_s=5.0) from None
            try:
                return await self._run(tenant, read)
            finally:
                share.free.release()
        finally:
            share.users -= 1
            if not share.users:
                self._shares.pop(tenant, None)

    async def _run(self, tenant: TenantNo, read: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        watch = Watch(self._interrupt)

        def transaction() -> T:
            watch.check()
            try:
                with self._engine.connect() as connection, watch.over(connection):
                    if self._begin is not None:
                        self._begin(connection, tenant)
                    return read(connection)
            except DBAPIError as error:
                if watch.interrupted:
                    detail = f"The answer took longer than {self._deadline_s:g} s: ask for a shorter range."
                    raise SliceError(Code.CAPACITY, detail, retry_after_s=5.0) from error
                raise UnavailableError(str(error.orig)) from error

        work = loop.run_in_executor(self._threads, transaction)
        timer = loop.call_later(self._deadline_s, watch.interrupt)
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
            timer.cancel()

    def close(self) -> None:
        """Wait for the reads under way and end the threads."""
        self._threads.shutdown(cancel_futures=True)
