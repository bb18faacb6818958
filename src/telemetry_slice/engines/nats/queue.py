"""The port `EventQueue` on one lane of NATS JetStream."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...model.books import HeldMessage
from ...model.errors import UnavailableError
from ...model.events import Message
from .connection import Connection, Session, ended
from .consumer import Consumer
from .holdings import Holdings
from .lane import ensure_lane
from .publisher import Publisher
from .safety import UnsafeQueueError, check_servers, payload_problem
from .settings import LaneSettings

DRAIN_S = 5.0


class JetStreamQueue:
    """One lane. A gate puts and asks what is held, a writer leases; a process may do both.

    Order: packs of one gate become durable in the order of their numbers, and are delivered in that order. A pack that
    is delivered again, or to another of several writers, may be settled after later ones; none is ever lost, so what
    later ones announced is settled too, and until then the queue holds it.

    Fairness: within what a writer looks ahead, about two leases, tenants take turns message by message. Before that the
    lane is one line.
    """

    def __init__(self, settings: LaneSettings) -> None:
        self._settings = settings
        self._started = False
        self._rechecking: asyncio.Task[None] | None = None
        self._connection = Connection(settings.urls, f"tslice-{settings.lane}", self._prepare, settings.timeout_s)
        self._publisher = Publisher(self._connection, settings)
        self._consumer = Consumer(self._connection, settings)
        self._holdings = Holdings(self._connection, settings)

    async def start(self) -> None:
        """Connect, look whether the servers are safe, and make the lane if it is not there.

        Raises:
            UnsafeQueueError: a server would acknowledge what it may lose, or cannot take a full request.
            UnavailableError: the server does not answer, or nobody can tell whether it is safe: its own monitoring
                address is silent, or those of too many others.
        """
        await self._connection.start()
        # From now on it is better to go on with what has been looked at than to stop.
        self._started = True
        self._publisher.start()

    async def close(self, drain_s: float = DRAIN_S) -> None:
        """Make durable what waits, for at most `drain_s`, and give back what is leased."""
        await self._publisher.close(drain_s)
        await self._consumer.close()
        await self._connection.close()
        await self._forget()

    async def silent_servers(self) -> Sequence[str]:
        """What there is to say of each server of the cluster that does not answer."""
        return (await check_servers(self._settings)).silent

    async def _prepare(self, session: Session) -> None:
        """Every new connection may lead to another server, or to the same one with other settings."""
        look = await check_servers(self._settings, session.server_id)
        problems = list(look.problems)
        if (short := payload_problem(session.client.max_payload, self._settings)) is not None and short not in str(
            problems
        ):
            problems.append(short)
        if problems:
            raise UnsafeQueueError(problems)
        if look.silent and not self._started:
            if 2 * len(look.silent) >= len(self._settings.monitors):
                raise UnavailableError("; ".join(look.silent))
            if not look.connected:
                # It may be one of the silent ones, or none of the cluster at all.
                raise UnavailableError(f"the server that answers could not be looked at: {'; '.join(look.silent)}")
        await ensure_lane(session, self._settings)
        if look.silent:
            await self._forget()
            self._rechecking = asyncio.create_task(self._recheck(session))

    async def _recheck(self, session: Session) -> None:
        """Look at the servers that were down once they answer; with one that is not safe nothing is put any more."""
        while session.alive:
            await asyncio.sleep(self._settings.recheck_s)
            look = await check_servers(self._settings, session.server_id)
            if look.problems:
                session.drop("; ".join(look.problems))
            if not look.silent:
                return

    async def _forget(self) -> None:
        if self._rechecking is not None:
            rechecking, self._rechecking = self._rechecking, None
            await ended(rechecking)

    async def put(self, message: Message) -> None:
        # A sender that gives up cancels its future only; the message stays.
        await self._publisher.put(message)

    async def lease(self, max_events: int) -> Sequence[Message]:
        return await self._consumer.lease(max_events)

    async def ack(self, messages: Sequence[Message]) -> None:
        await self._consumer.ack(messages)

    async def retry(self, messages: Sequence[Message], delay_s: float) -> None:
        await self._consumer.retry(messages, delay_s)

    async def held(self) -> Sequence[HeldMessage]:
        # Ours first: what becomes durable meanwhile is found in the stream, and twice is once.
        found = {(held.incarnation, held.sequence): held for held in self._publisher.held()}
        for held in await self._holdings.read():
            found[held.incarnation, held.sequence] = held
        return list(found.values())
