"""The gate's end of a lane: messages become packs, packs become durable, one after another."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import structlog

from ...model.books import HeldMessage
from ...model.errors import QueueFullError, UnavailableError
from ...model.events import Message
from ...observe import QUEUE_PACKS, QUEUE_PUBLISH_SECONDS
from .connection import Connection, ended
from .envelope import Sealed
from .settings import LaneSettings

log = structlog.get_logger()

SWEEP_S = 0.25
"""How exactly a sender's deadline is kept."""
RETRY_S = (0.05, 0.1, 0.25, 0.5)
FULL = frozenset({"maximum bytes exceeded", "maximum messages exceeded"})
"""How the server says that a stream at its bound refuses what is new."""


class _Waiting:
    """A message that is not durable yet, the sender that waits for it, and until when (loop time)."""

    __slots__ = ("deadline", "done", "sealed")

    def __init__(self, sealed: Sealed, done: asyncio.Future[None], deadline: float) -> None:
        self.sealed = sealed
        self.done = done
        self.deadline = deadline

    def give_up(self, why: str) -> None:
        """Tell the sender that the outcome is unknown."""
        if not self.done.done():
            self.done.set_exception(UnavailableError(why))
            # The exception is for the sender; one that has gone must not raise a warning.
            self.done.exception()


class Publisher:
    """One pack is on its way at a time, and none is left behind.

    A message carries the running totals of those before it, so a later one must never be durable while an earlier one
    is not. Therefore a pack whose outcome is unknown, or that a full stream has refused, is sent again, the same bytes
    under the same numbers, until the server has said that it is kept; the claims of the store make a pack that is kept
    twice harmless. Its senders are told that the outcome is unknown when their time is up. What a dying process takes
    along was acknowledged to nobody, and no later message tells of it.
    """

    def __init__(self, connection: Connection, settings: LaneSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._pack: list[_Waiting] = []
        self._pack_bytes = 0
        self._arrived = asyncio.Event()
        self._filled = asyncio.Event()
        self._full = False
        self._sweeping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self, drain_s: float) -> None:
        """Send what waits, for at most `drain_s`; whoever still waits then is told that the outcome is unknown."""
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                while self._waiting or self._pack:
                    await asyncio.sleep(0.01)
        if self._task:
            await ended(self._task)
        self._give_up((*self._pack, *self._waiting), "the queue was closed")
        # Nobody sweeps any more.
        self._pack, self._pack_bytes = [], 0
        self._waiting.clear()

    def held(self) -> list[HeldMessage]:
        """What is not known to be durable."""
        return [waiting.sealed.held for waiting in (*self._pack, *self._waiting)]

    def put(self, message: Message) -> asyncio.Future[None]:
        """Take a message; the future is done when it is durable.

        Raises:
            QueueFullError: the stream is full, as much as may waits here already, or the message is larger than the
                lane was set up for; nothing was taken.
        """
        if self._full:
            raise QueueFullError
        sealed = Sealed(message)
        size = sealed.size_bytes
        if size > self._settings.max_message_bytes:
            log.error("message_too_large", lane=self._settings.lane, size_bytes=size)
            raise QueueFullError
        if self._pack_bytes + self._waiting_bytes + size > self._settings.max_waiting_bytes:
            raise QueueFullError
        loop = asyncio.get_running_loop()
        waiting = _Waiting(sealed, loop.create_future(), loop.time() + self._settings.timeout_s)
        self._waiting.append(waiting)
        self._waiting_bytes += size
        self._arrived.set()
        if self._waiting_bytes >= self._settings.pack_bytes:
            self._filled.set()
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(SWEEP_S, self._sweep, loop)
        return waiting.done

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all instead of one a message; the oldest come first."""
        now = loop.time()
        for waiting in (*self._pack, *self._waiting):
            if waiting.deadline > now:
                break
            waiting.give_up("the queue did not answer in time")
        self._sweeping = bool(self._pack or self._waiting)
        if self._sweeping:
            loop.call_later(SWEEP_S, self._sweep, loop)

    async def _run(self) -> None:
        while True:
            try:
                await self._send_packs()
            except Exception:
                # A defect must neither end the only publisher without a word nor lose its pack.
                log.exception("publisher_failed", lane=self._settings.lane)
                await asyncio.sleep(RETRY_S[-1])

    async def _send_packs(self) -> None:
        loop = asyncio.get_running_loop()
        not_before = 0.0
        while True:
            if not self._pack:
                await self._arrived.wait()
                pause_s = not_before - loop.time()
                if pause_s > 0 and self._waiting_bytes < self._settings.pack_bytes:
                    # A lone message goes at once; under load packs keep their distance and grow.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(pause_s):
                            await self._filled.wait()
                not_before = loop.time() + self._settings.gather_s
                self._gather()
            await self._publish(Sealed.pack([waiting.sealed for waiting in self._pack]))
            QUEUE_PACKS.inc()
            for waiting in self._pack:
                if not waiting.done.done():
                    waiting.done.set_result(None)
            self._pack, self._pack_bytes = [], 0

    def _gather(self) -> None:
        """Move what fits into the next pack, at least one message."""
        while self._waiting:
            size = self._waiting[0].sealed.size_bytes
            if self._pack and self._pack_bytes + size > self._settings.pack_bytes:
                break
            self._pack.append(self._waiting.popleft())
            self._pack_bytes += size
        self._waiting_bytes -= self._pack_bytes
        self._filled.clear()
        if not self._waiting:
            self._arrived.clear()
        elif self._waiting_bytes >= self._settings.pack_bytes:
            self._filled.set()

    async def _publish(self, payload: bytes) -> None:
        """Until the server has said that it keeps `payload`."""
        failures = 0
        while True:
            session = await self._connection.opened()
            try:
                with QUEUE_PUBLISH_SECONDS.time():
                    answer = await session.request(self._settings.subject, payload, self._settings.timeout_s)
                refusal = _refusal(answer.data)
            except UnavailableError as error:
                refusal = str(error)
                # A server that does not answer may answer on a new connection, or another one may.
                session.drop(refusal)
            if refusal is None:
                self._full = False
                return
            if refusal in FULL:
                if not self._full:
                    log.warning("queue_full", lane=self._settings.lane, error=refusal)
                self._full = True
                self._give_up((*self._pack, *self._waiting), "the queue is full")
            else:
                log.warning("queue_publish_failed", lane=self._settings.lane, error=refusal)
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    @staticmethod
    def _give_up(all_waiting: Sequence[_Waiting], why: str) -> None:
        for waiting in all_waiting:
            waiting.give_up(why)


def _refusal(answer: bytes) -> str | None:
    """Why the server did not keep a pack; None if it did."""
    try:
        told = json.loads(answer)
        error = told.get("error")
        if error is not None:
            return str(error.get("description", error))
        return None if told.get("seq") else "an answer without a number"
    except (ValueError, AttributeError):
        return "an answer that is none"
