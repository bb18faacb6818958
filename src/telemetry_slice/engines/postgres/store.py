"""The event store on PostgreSQL."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...model.books import BooksStep, StoreBooks
from ...model.events import EventBatch, Message, Settlement, TenantNo
from ...model.series import DeadLetter
from ..sql.letters import LetterReads
from ..sql.readers import TenantReaders
from . import counters
from .append import Appender
from .connections import DEADLINE_S, Connections
from .letters import Letters
from .roles import TELEMETRY_SCHEMA
from .transaction import Session, transaction

T = TypeVar("T")

CONNECTIONS = 4
EXPIRE_ROWS = 5_000
BACKFILL_ROWS = 1_000


class PostgresStore(LetterReads):
    """`EventStore` and `DeadLetters` on the tables of one schema.

    `database` is a URL that signs in as the writer role, or the connections of another store of the same database.

    What `stored_us` promises with several writers: it is the database's clock shortly before the commit, and of two
    appends of which the second began after the first had returned, the second has the greater one, also over restarts
    and when the server's clock steps back. Appends at the same time may commit in another order than their clocks: a
    reading as of T is final once the appends that were under way at T have ended, at the latest after the deadline.
    """

    def __init__(
        self,
        database: str | Connections,
        readers: TenantReaders,
        *,
        series_limit: int,
        schema: str = TELEMETRY_SCHEMA,
        connections: int = CONNECTIONS,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        super().__init__(readers)
        self.connections = (
            Connections(database, size=connections, deadline_s=deadline_s) if isinstance(database, str) else database
        )
        self._schema = schema
        self._appender = Appender(series_limit)
        self._letters = Letters(self._appender)
        self._appending: set[asyncio.Task[list[Settlement]]] = set()

    async def _run(self, work: Callable[[Session], T]) -> T:
        return await self.connections.run(work, self._schema)

    async def split(self, messages: Sequence[Message]) -> Sequence[Sequence[Message]]:
        return [messages]

    async def append(self, messages: Sequence[Message], *, commit: bool = True) -> Sequence[Settlement]:
        def work(connection: Session) -> list[Settlement]:
            return self._appender.append(connection, messages, commit=commit)

        task = asyncio.create_task(self._run(work))
        self._appending.add(task)
        task.add_done_callback(self._appended)
        return await asyncio.shield(task)

    def _appended(self, task: asyncio.Task[builtins.list[Settlement]]) -> None:
        self._appending.discard(task)
        if not task.cancelled():
            task.exception()

    async def books(self, tenant: TenantNo, from_us: int | None = None, to_us: int | None = None) -> StoreBooks:
        under_way = set(self._appending)
        if under_way:
            await asyncio.wait(under_way)
        return await self._run(lambda connection: counters.read(connection, tenant, from_us, to_us))

    async def book_history(self, tenant: TenantNo, from_us: int, to_us: int, step_us: int) -> Sequence[BooksStep]:
        return await self._run(lambda connection: counters.history(connection, tenant, from_us, to_us, step_us))

    async def count_rejected(self, counts: Sequence[tuple[TenantNo, int, str, int]]) -> None:
        await self._run(lambda connection: counters.reject(connection, counts))

    async def expire(self, before_us: int, tenant: TenantNo | None = None) -> int:
        def work(connection: Session) -> int:
            with transaction(connection, () if tenant is None else [tenant]):
                row = connection.execute(
                    "SELECT expire_readings(%s, %s, %s)", (before_us, tenant, EXPIRE_ROWS)
                ).fetchone()
            return int(row[0]) if row else 0

        return await self._run(work)

    async def open_counts(self) -> dict[TenantNo, int]:
        def work(connection: Session) -> dict[TenantNo, int]:
            with transaction(connection, ()):
                counted = connection.execute("SELECT tenant_no, letters FROM open_letter_counts()").fetchall()
            return {TenantNo(tenant): count for tenant, count in counted}

        return await self._run(work)

    async def mend(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> DeadLetter | None:
        changed = await self._run(lambda c: self._letters.mend(c, tenant, letter_id, event))
        return await self.get(tenant, letter_id) if changed else None

    async def replay(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> Settlement | None:
        return await self._run(lambda c: self._letters.replay(c, tenant, letter_id, event))

    async def discard(self, tenant: TenantNo, letter_id: int) -> bool:
        return await self._run(lambda c: self._letters.discard(c, tenant, letter_id))

    async def ensure_partitions(self, now_us: int, ahead_us: int) -> int:
        """Make the partitions of the next `ahead_us` microseconds; how many were made. For the scheduler."""

        def work(connection: Session) -> int:
            with transaction(connection, ()):
                row = connection.execute("SELECT ensure_partitions(%s, %s)", (now_us, ahead_us)).fetchone()
            return int(row[0]) if row else 0

        return await self._run(work)

    async def drop_ledger_weeks(self, before_us: int) -> int:
        """Forget the ids of UUIDv7 of the weeks that ended before `before_us`; how many weeks were dropped.

        Such an id is never stored again: it dies as `id_expired`. For the scheduler, if the settings say so.
        """

        def work(connection: Session) -> int:
            with transaction(connection, ()):
                row = connection.execute("SELECT drop_ledger_weeks(%s)", (before_us,)).fetchone()
            return int(row[0]) if row else 0

        return await self._run(work)

    async def backfill(self, most: int = BACKFILL_ROWS) -> int:
        """One step of what a revision has left to be filled in, at most `most` rows; 0 when nothing is left.

        What is committed is not done again: after a crash the next step goes on where the last one ended. For the
        scheduler.
        """

        def work(connection: Session) -> int:
            with transaction(connection, ()):
                row = connection.execute("SELECT backfill_step(%s)", (most,)).fetchone()
            return int(row[0]) if row else 0

        return await self._run(work)

    def close(self) -> None:
        """Finish what was asked, then close every connection, of the stores that share them, too."""
        self.connections.close()
