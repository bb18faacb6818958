"""`tslice` with a queue that answers before anything is stored: what the crash test must not let pass."""

import asyncio

from telemetry_slice.cli import main
from telemetry_slice.engines.inprocess import HandOffQueue
from telemetry_slice.model.events import Message
from telemetry_slice.runtime import embedded


class HastyQueue(HandOffQueue):
    """Takes a message and says at once that it is durable."""

    async def put(self, message: Message) -> None:
        self._unwatched = asyncio.ensure_future(super().put(message))


embedded.HandOffQueue = HastyQueue
main()
