"""Reads spread over streaming replicas that are close behind the primary; whatever they cannot answer, it does.

A replica is looked at several times within the time that it may be behind. It answers only while a look that is not
older than that has found all that the primary had when it was looked at, so that no look at all means no answers.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from time import monotonic
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ...model.errors import UnavailableError
from ...model.events import TenantNo
from ...model.series import Seen
from ...observe import READ_FALLBACKS, READS, REPLICA_LAG, REPLICA_SERVES
from ..sql.readers import Readers
from .connect import sever
from .connections import Connections
from .positions import (
    LogPosition,
    Sight,
    has_replayed,
    of_primary,
    of_standby,
    shows_all_before,
    sight_on_primary,
    sight_on_standby,
)
from .reads import open_reading, see_only

T = TypeVar("T")

LOOKS = 4
"""How often a replica is looked at within the time that it may be behind."""
LOOK_S = 2.0
"""A server that has not answered a look by then is away."""
RETURN_LOOKS = 3
"""So many looks in a row must find it close enough, at half the allowed lag, before it serves (again)."""
REMEMBERED_LOOKS = 1_000
VISIBLE_S = 1.0
_POLL_S = 0.01
_CONFLICTS = frozenset({"40001", "40P01"})
"""SQLSTATE of a read that stood in the way of what the standby had to replay."""

log = structlog.get_logger()


def name_of(url: str) -> str:
    """HOST:PORT of a replica's URL."""
    given = conninfo_to_dict(url)
    return f"{given.get('host') or 'localhost'}:{given.get('port') or 5432}"


class BehindError(UnavailableError):
    """The replica has not replayed what the read must see."""


class Replica:
    """One replica: reads there, how far it is behind, whether it serves. `url` signs in as the API role."""

    def __init__(self, url: str, *, max_lag_s: float) -> None:
        self.name = name_of(url)
        self.serves = False
        self._max_lag_s = max_lag_s
        self._engine = open_reading(url)
        # A read binds itself to its tenant, once the replica has been found far enough.
        self._readers = Readers(self._engine, interrupt=sever)
        self._looks = Connections(url, size=1, deadline_s=LOOK_S)
        # When the primary was asked and where it was, the oldest first; those that the replica has reached are dropped.
        self._asked: deque[tuple[float, int]] = deque(maxlen=REMEMBERED_LOOKS)
        self._has_all_before_s = -math.inf
        self._replayed = 0
        self._good_looks = 0
        self._away = asyncio.Event()
        REPLICA_SERVES.labels(self.name).set(0)
        REPLICA_LAG.labels(self.name).set_function(self._lag_s)

    def _lag_s(self) -> float:
        return monotonic() - self._has_all_before_s

    @property
    def may_answer(self) -> bool:
        """Whether it serves and is known to be no further behind than it may be."""
        return self.serves and self._lag_s() <= self._max_lag_s

    async def look(self, asked_s: float, primary: LogPosition) -> None:
        """Compare it with where the primary was, which was asked at `asked_s` (monotonic) or later."""
        asked = asyncio.ensure_future(self._looks.run(of_standby))
        asked.add_done_callback(_look_at_error)
        done, _ = await asyncio.wait((asked,), timeout=LOOK_S)
        if not done:
            self._is_away("no answer in time")
        try:
            here = await asked
        except UnavailableError as error:
            if not _is_conflict(error):
                self._is_away(str(error))
            return
        if here is None or (here.cluster, here.timeline) != (primary.cluster, primary.timeline):
            self._know_nothing()
            self.leave("is no standby of the primary")
            return
        if here.lsn < self._replayed:
            self._know_nothing()
            self.leave("was started anew from an older state")
        self._replayed = here.lsn
        self._asked.append((asked_s, primary.lsn))
        while self._asked and self._asked[0][1] <= here.lsn:
            self._has_all_before_s = self._asked.popleft()[0]
        lag_s = self._lag_s()
        if lag_s > self._max_lag_s:
            self.leave(f"is {lag_s:.1f} s behind")
        elif lag_s > self._max_lag_s / 2:
            self._good_looks = 0
        else:
            self._good_looks += 1
            if self._good_looks >= RETURN_LOOKS and not self.serves:
                self.serves = True
                REPLICA_SERVES.labels(self.name).set(1)
                log.info("replica_serves", replica=self.name)

    def _know_nothing(self) -> None:
        self._asked.clear()
        self._has_all_before_s = -math.inf
        self._replayed = 0

    def _is_away(self, why: str) -> None:
        self.leave(why)
        # Whoever waits for an answer would wait in vain.
        self._away.set()
        self._away = asyncio.Event()

    def leave(self, why: str) -> None:
        """Let it answer nothing until it has proved itself again."""
        self._good_looks = 0
        if self.serves:
            self.serves = False
            REPLICA_SERVES.labels(self.name).set(0)
            log.warning("replica_left", replica=self.name, why=why)

    async def read(
        self, tenant: TenantNo, read: Callable[[Connection], T], seen: Sight | None
    ) -> tuple[T, Sight | None]:
        """What `read` returns, and, to who has `seen` something, what it has seen.

        Raises:
            BehindError: it has not replayed what was `seen`, or was started anew from an older state.
            UnavailableError: the read did not come to its end here; another node may answer it.
            SliceError: as `TenantReaders.run`.
        """
        at_least = self._replayed if seen is None else max(seen.lsn, self._replayed)

        def there(connection: Connection) -> tuple[T, Sight | None]:
            if not has_replayed(connection, at_least):
                raise BehindError(f"{self.name} has not replayed {at_least}")
            see_only(connection, tenant)
            return read(connection), None if seen is None else sight_on_standby(connection)

        work = asyncio.ensure_future(self._readers.run(tenant, there))
        away = asyncio.ensure_future(self._away.wait())
        try:
            await asyncio.wait((work, away), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise UnavailableError(f"{self.name} does not answer any more")
        finally:
            away.cancel()
            if not work.done():
                # It ends by itself, and nobody waits for it.
                work.add_done_callback(_look_at_error)
                work.cancel()

    def close(self) -> None:
        """Wait for the reads under way, then close every connection."""
        self._readers.close()
        self._looks.close()
        self._engine.dispose()


class ReplicatedReaders:
    """`TenantReaders` over a primary and its replicas.

    A read goes to a replica that may answer, in turn. It is read again on the primary when it fails there: cancelled
    by what the replica had to replay, or with its connection or server. Without replicas that may answer, or when none
    has what the caller has `seen`, the primary answers.
    """

    def __init__(self, primary: Readers, primary_url: str, replica_urls: Sequence[str], *, max_lag_s: float) -> None:
        """`primary` reads on `primary_url`; all URLs sign in as the API role."""
        self.replicas = [Replica(url, max_lag_s=max_lag_s) for url in replica_urls]
        self._primary = primary
        self._positions = Connections(primary_url, size=1, deadline_s=LOOK_S)
        self._look_every_s = max_lag_s / LOOKS
        self._turn = 0

    async def watch(self) -> None:
        """Look at the replicas for ever. Until it has, the primary answers everything."""
        async with asyncio.TaskGroup() as watches:
            for replica in self.replicas:
                watches.create_task(self._watch(replica))

    async def _watch(self, replica: Replica) -> None:
        while True:
            asked_s = monotonic()
            try:
                primary = await self._positions.run(of_primary)
            except UnavailableError as error:
                # Nobody knows any more how far the replica is behind: in a moment it will answer nothing.
                log.debug("primary_not_asked", error=str(error))
            else:
                await replica.look(asked_s, primary)
            await asyncio.sleep(self._look_every_s)

    async def run(self, tenant: TenantNo, read: Callable[[Connection], T], seen: Seen | None = None) -> T:
        """See `TenantReaders`."""
        if seen is None:
            return (await self._run(tenant, read, None))[0]
        answer, sight = await self._run(tenant, read, Sight.parse(seen.sight))
        seen.sight = str(sight)
        return answer

    async def _run(
        self, tenant: TenantNo, read: Callable[[Connection], T], seen: Sight | None
    ) -> tuple[T, Sight | None]:
        why = "none_serves"
        for replica in self._in_turn():
            try:
                answer = await replica.read(tenant, read, seen)
            except BehindError:
                why = "behind"
            except UnavailableError as error:
                why = "conflict" if _is_conflict(error) else "failed"
                if why == "failed":
                    replica.leave(str(error))
                break
            else:
                READS.labels(replica.name).inc()
                return answer
        READ_FALLBACKS.labels(why).inc()

        def there(connection: Connection) -> tuple[T, Sight | None]:
            if seen is None:
                return read(connection), None
            if seen.xmax:
                _wait_until_shown(connection, tenant, seen.xmax)
            return read(connection), sight_on_primary(connection)

        answer = await self._primary.run(tenant, there)
        READS.labels("primary").inc()
        return answer

    def _in_turn(self) -> Iterator[Replica]:
        self._turn += 1
        for index in range(len(self.replicas)):
            replica = self.replicas[(self._turn + index) % len(self.replicas)]
            if replica.may_answer:
                yield replica

    def close(self) -> None:
        """Wait for the reads under way on the replicas, then close every connection that is not the primary's."""
        self._positions.close()
        for replica in self.replicas:
            replica.close()


def _wait_until_shown(connection: Connection, tenant: TenantNo, xmax: int) -> None:
    """Renew the snapshot of the open transaction until it shows what standbys have shown."""
    give_up_s = monotonic() + VISIBLE_S
    patient = True
    while not shows_all_before(connection, xmax, patient=patient):
        if not patient:
            raise UnavailableError("what was seen on a replica waits for a synchronous standby")
        patient = monotonic() < give_up_s
        connection.rollback()
        Event().wait(_POLL_S)
        see_only(connection, tenant)


def _is_conflict(error: UnavailableError) -> bool:
    cause = error.__cause__
    if isinstance(cause, DBAPIError):
        cause = cause.orig
    return isinstance(cause, psycopg.Error) and cause.sqlstate in _CONFLICTS


def _look_at_error(work: asyncio.Future[Any]) -> None:
    if not work.cancelled():
        work.exception()
