"""The port `EventQueue` on one lane of NATS JetStream."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.books import HeldMessage
from ...model.events import Message
from .connection import Connection, Session
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
        self._connection = Connection(settings.urls, f"tslice-{settings.lane}", self._prepare, settings.timeout_s)
        self._publisher = Publisher(self._connection, settings)
        self._consumer = Consumer(self._connection, settings)
        self._holdings = Holdings(self._connection, settings)

    async def start(self) -> None:
        """Connect, look whether the servers are safe, and make the lane if it is not there.

        Raises:
            UnsafeQueueError: a server would acknowledge what it may lose, or cannot take a full request.
            UnavailableError: a server or its monitoring address does not answer.
        """
        await self._connection.start()
        # From now on a server of the cluster may be down.
        self._started = True
        self._publisher.start()

    async def close(self, drain_s: float = DRAIN_S) -> None:
        """Make durable what waits, for at most `drain_s`, and give back what is leased."""
        await self._publisher.close(drain_s)
        await self._consumer.close()
        await self._connection.close()

    async def _prepare(self, session: Session) -> None:
        """Every new connection may lead to another server, or to the same one with other settings."""
        problems = await check_servers(self._settings, session.server_id, all_answer=not self._started)
        if (short := payload_problem(session.client.max_payload, self._settings)) is not None and short not in str(
            problems
        ):
            problems.append(short)
        if problems:
            raise UnsafeQueueError(problems)
        await ensure_lane(session, self._settings)

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
