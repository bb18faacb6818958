"""Every lane of an installation, as its gates use them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from ...model.books import HeldMessage
from ...model.errors import QueueFullError
from ...model.events import Message
from .queue import JetStreamQueue

log = structlog.get_logger()


class Lanes:
    """`Intake`: each message goes to the lane of its placement database, by the database's name.

    What waits for one database fills one lane: the others go on.
    """

    def __init__(self, lanes: Mapping[str | None, JetStreamQueue]) -> None:
        self._lanes = lanes

    async def start(self) -> None:
        """As `JetStreamQueue.start`, of each."""
        await asyncio.gather(*(lane.start() for lane in self._lanes.values()))

    async def close(self) -> None:
        """As `JetStreamQueue.close`, of each."""
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))

    async def silent_servers(self) -> Sequence[str]:
        """What there is to say of each server that does not answer; the lanes are on the same ones."""
        return await next(iter(self._lanes.values())).silent_servers()

    async def put(self, message: Message) -> None:
        lane = self._lanes.get(message.placement.database)
        if lane is None:
            log.error("placement_database_unknown", database=message.placement.database)
            raise QueueFullError
        await lane.put(message)

    async def held(self) -> Sequence[HeldMessage]:
        found = await asyncio.gather(*(lane.held() for lane in self._lanes.values()))
        return [message for held in found for message in held]
