"""Stores and reads of every placement behind one: each call goes to where its tenant lies.

A placement is a schema on a database: the statements are the same everywhere, and so are the walls.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog
from psycopg.sql import Identifier
from sqlalchemy import Connection, text

from ...model.books import BooksStep, StoreBooks
from ...model.errors import UnavailableError
from ...model.events import EventBatch, Message, Settlement, TenantNo
from ...model.placement import SHARED, Placement
from ...model.series import DeadLetter, Seen
from ..sql.letters import LetterReads
from ..sql.placements import Placements
from ..sql.readers import TenantReaders
from .connections import Connections
from .roles import TELEMETRY_SCHEMA
from .store import PostgresStore

T = TypeVar("T")
log = structlog.get_logger()

_LOOK_IN = text("SELECT set_config('search_path', :schema, true)")

Rejected = tuple[TenantNo, int, str, int]
"""(tenant, received minute µs, code, count)"""


class PlacedReaders:
    """Reads on the database and in the schema of the tenant.

    Each database has threads and connections of its own, so one that does not answer occupies nobody else's.
    """

    def __init__(self, placements: Placements, databases: Mapping[str | None, TenantReaders]) -> None:
        self._placements = placements
        self._databases = databases

    async def run(self, tenant: TenantNo, read: Callable[[Connection], T], seen: Seen | None = None) -> T:
        """As `TenantReaders.run`."""
        placement = await self._placements.of(tenant)
        readers = self._databases.get(placement.database)
        if readers is None:
            raise _unknown(placement)
        schema = placement.schema
        if schema is None:
            return await readers.run(tenant, read, seen)

        def read_there(connection: Connection) -> T:
            connection.execute(_LOOK_IN, {"schema": Identifier(schema).as_string()})
            return read(connection)

        return await readers.run(tenant, read_there, seen)


class PlacedStore(LetterReads):
    """`EventStore` and `DeadLetters` over all placements; `databases` are by their names, None = the installation's."""

    def __init__(
        self,
        placements: Placements,
        databases: Mapping[str | None, Connections],
        readers: TenantReaders,
        *,
        series_limit: int,
    ) -> None:
        super().__init__(readers)
        self._placements = placements
        self._databases = databases
        self._series_limit = series_limit
        self._stores: dict[Placement, PostgresStore] = {}
        # Rejected counts that a placement could not be told yet.
        self._owed: defaultdict[Placement, Counter[tuple[TenantNo, int, str]]] = defaultdict(Counter)
        self._open: dict[Placement, dict[TenantNo, int]] = {}

    def at(self, placement: Placement) -> PostgresStore:
        """The store of one placement. Raises UnavailableError if the settings do not know its database."""
        store = self._stores.get(placement)
        if store is None:
            connections = self._databases.get(placement.database)
            if connections is None:
                raise _unknown(placement)
            store = self._stores[placement] = PostgresStore(
                connections,
                self._readers,
                series_limit=self._series_limit,
                schema=placement.schema or TELEMETRY_SCHEMA,
            )
        return store

    async def _of(self, tenant: TenantNo) -> PostgresStore:
        return self.at(await self._placements.of(tenant))

    async def at_each(self, work: Callable[[PostgresStore], Awaitable[T]]) -> dict[Placement, T]:
        """What `work` returns for the store of each placement that can be reached.

        Raises UnavailableError if the shared tables cannot.
        """

        async def at_one(placement: Placement) -> T | UnavailableError:
            try:
                return await work(self.at(placement))
            except UnavailableError as error:
                return error

        placements = await self._placements.every()
        found: dict[Placement, T] = {}
        for placement, told in zip(placements, await asyncio.gather(*map(at_one, placements)), strict=True):
            if not isinstance(told, UnavailableError):
                found[placement] = told
            elif placement == SHARED:
                raise told
            else:
                log.warning("placement_unavailable", placement=str(placement), error=str(told))
        return found

    # ------------------------------------------------------------------------------------------------- events
    async def split(self, messages: Sequence[Message]) -> Sequence[Sequence[Message]]:
        placed = await self._placements.of_many({batch.tenant for message in messages for batch in message.batches})
        parts: defaultdict[frozenset[Placement], list[Message]] = defaultdict(list)
        for message in messages:
            parts[frozenset(placed[batch.tenant] for batch in message.batches)].append(message)
        return list(parts.values())

    async def append(self, messages: Sequence[Message], *, commit: bool = True) -> Sequence[Settlement]:
        tenants = {batch.tenant for message in messages for batch in message.batches}
        placed = await self._placements.of_many(tenants)
        placements = {placed[tenant] for tenant in tenants}
        if len(placements) != 1:
            # A gate numbers the messages of each placement by themselves; no transaction spans two.
            raise ValueError(f"messages of {len(placements)} placements in one transaction")
        placement = placements.pop()
        try:
            return await self.at(placement).append(messages, commit=commit)
        except UnavailableError:
            if placement.schema is not None:
                # It may be gone, with its tenant: what came late shall not hold up the lane for ever.
                self._placements.forget(tenants)
            raise

    async def books(self, tenant: TenantNo, from_us: int | None = None, to_us: int | None = None) -> StoreBooks:
        return await (await self._of(tenant)).books(tenant, from_us, to_us)

    async def book_history(self, tenant: TenantNo, from_us: int, to_us: int, step_us: int) -> Sequence[BooksStep]:
        return await (await self._of(tenant)).book_history(tenant, from_us, to_us, step_us)

    async def count_rejected(self, counts: Sequence[Rejected]) -> None:
        """As the port promises; a placement that is away is told when it is back, if this process lives so long."""
        placed = await self._placements.of_many({tenant for tenant, *_ in counts})
        for tenant, minute_us, code, count in counts:
            self._owed[placed[tenant]][tenant, minute_us, code] += count
        await self._tell_owed()

    async def _tell_owed(self) -> None:
        await asyncio.gather(*map(self._tell_rejected, tuple(self._owed)))

    async def _tell_rejected(self, placement: Placement) -> None:
        owed = self._owed.pop(placement)
        try:
            await self.at(placement).count_rejected([(*place, count) for place, count in owed.items()])
        except UnavailableError as error:
            log.warning("rejected_not_counted_yet", placement=str(placement), error=str(error))
            self._owed[placement] += owed

    async def expire(self, before_us: int, tenant: TenantNo | None = None) -> int:
        if tenant is not None:
            return await (await self._of(tenant)).expire(before_us, tenant)
        return sum((await self.at_each(lambda store: store.expire(before_us))).values())

    async def ensure_partitions(self, now_us: int, ahead_us: int) -> int:
        """As `PostgresStore.ensure_partitions`, wherever tenants are placed."""
        return sum((await self.at_each(lambda store: store.ensure_partitions(now_us, ahead_us))).values())

    async def drop_ledger_weeks(self, before_us: int) -> int:
        """As `PostgresStore.drop_ledger_weeks`, wherever tenants are placed."""
        return sum((await self.at_each(lambda store: store.drop_ledger_weeks(before_us))).values())

    async def backfill(self) -> int:
        """One step of `PostgresStore.backfill`, wherever tenants are placed; rows filled in all."""
        return sum((await self.at_each(lambda store: store.backfill())).values())

    # ------------------------------------------------------------------------------------------------- dead letters
    async def mend(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> DeadLetter | None:
        return await (await self._of(tenant)).mend(tenant, letter_id, event)

    async def replay(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> Settlement | None:
        return await (await self._of(tenant)).replay(tenant, letter_id, event)

    async def discard(self, tenant: TenantNo, letter_id: int) -> bool:
        return await (await self._of(tenant)).discard(tenant, letter_id)

    async def open_counts(self) -> dict[TenantNo, int]:
        """As the port promises; of a placement that is away, as many as there were. One that is back is told what it
        is owed.
        """
        await self._tell_owed()
        self._open |= await self.at_each(lambda store: store.open_counts())
        return {tenant: count for counts in self._open.values() for tenant, count in counts.items()}

    def close(self) -> None:
        """Finish what was asked, then close every connection."""
        for connections in self._databases.values():
            connections.close()


def _unknown(placement: Placement) -> UnavailableError:
    return UnavailableError(f"the settings do not name the placement database {placement.database}")
