"""A database behind threads: one that writes, some that read, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from ...model.errors import UnavailableError
from ...model.events import TenantNo
from .watch import Watch

T = TypeVar("T")
DEADLINE_S = 15.0
AnyRow = Row[*tuple[Any, ...]]
"""A row whose columns its reader knows by name."""


class Database:
    """Runs synchronous SQLAlchemy work, each call as one transaction.

    A transaction is of one `tenant`, of one person (`user_id`), or of neither. Where the database has walls between
    them, `begin` is called first in each and tells it so: rows of others are then neither seen nor changed.

    A database that is a server may fall silent: `sever` ends what a driver's connection is waiting for, at once and
    from another thread. Without it there is no deadline.

    Attributes:
        writer, reader: the engines; the reader's need not be able to write.
    """

    def __init__(
        self,
        writer: Engine,
        reader: Engine,
        *,
        name: str,
        readers: int = 2,
        writers: int = 1,
        begin: Callable[[Connection, TenantNo | None, str | None], None] | None = None,
        sever: Callable[[Any], None] | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.writer = writer
        self.reader = reader
        self._begin = begin
        self._sever = sever
        self._deadline_s = deadline_s
        # One writing thread keeps SQLite's write lock free of quarrels; the order of calls is the order of commits.
        self._writing = ThreadPoolExecutor(writers, thread_name_prefix=f"{name}-write")
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix=f"{name}-read")

    async def write(
        self, work: Callable[[Connection], T], *, tenant: TenantNo | None = None, user_id: str | None = None
    ) -> T:
        """Run `work` in a writing transaction and commit; an exception rolls back.

        Raises UnavailableError when the database cannot be reached, does not answer in time, or the outcome is unknown.
        """
        return await self._run(self._writing, self.writer, work, tenant, user_id)

    async def read(
        self, work: Callable[[Connection], T], *, tenant: TenantNo | None = None, user_id: str | None = None
    ) -> T:
        """Run `work` in a reading transaction. Raises UnavailableError when the database cannot be reached."""
        return await self._run(self._reading, self.reader, work, tenant, user_id)

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        engine: Engine,
        work: Callable[[Connection], T],
        tenant: TenantNo | None,
        user_id: str | None,
    ) -> T:
        def begun(connection: Connection) -> T:
            if self._begin is not None:
                self._begin(connection, tenant, user_id)
            return work(connection)

        loop = asyncio.get_running_loop()
        if self._sever is None:
            return await loop.run_in_executor(threads, _transact, engine, begun, None)
        watch = Watch(self._sever)
        # Whoever waits for a thread has waited, too: all that asked when the database fell silent give up together.
        timer = loop.call_later(self._deadline_s, watch.interrupt)

        def ended(done: asyncio.Future[T]) -> None:
            timer.cancel()
            # Whoever asked may be gone: nobody else looks at the error.
            if not done.cancelled():
                done.exception()

        future = loop.run_in_executor(threads, _transact, engine, begun, watch)
        future.add_done_callback(ended)
        return await asyncio.shield(future)

    def see(self, connection: Connection, tenant: TenantNo | None, user_id: str | None) -> None:
        """Let the open transaction be of another tenant or person from here on."""
        if self._begin is not None:
            self._begin(connection, tenant, user_id)

    def close(self) -> None:
        """Finish what was asked, then close every connection."""
        self._writing.shutdown()
        self._reading.shutdown()
        self.reader.dispose()
        self.writer.dispose()


def has_walls(connection: Connection) -> bool:
    """Whether rows are hidden from whoever has not named their tenant or person; migrations/registry/postgresql."""
    return connection.dialect.name == "postgresql"


def _transact(engine: Engine, work: Callable[[Connection], T], watch: Watch | None) -> T:
    if watch is not None:
        watch.check()
    try:
        with (
            engine.connect() as connection,
            nullcontext() if watch is None else watch.over(connection),
            connection.begin(),
        ):
            return work(connection)
    except (OperationalError, InterfaceError) as error:
        raise UnavailableError(str(error.orig)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UnavailableError(str(error.orig)) from error
        raise
