"""Leased messages → the store → ack. Infrastructure errors retry and bury nothing, data errors bury the culprit."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence

import structlog

from ..model.errors import DataError, UnavailableError
from ..model.events import DeadReason, EventBatch, Message, Outcome, Settlement
from ..observe import APPEND_SECONDS, SETTLED, WRITER_PAUSED
from ..ports.edge import Bus
from ..ports.events import EventQueue, EventStore

log = structlog.get_logger()

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 10.0
_OUTCOMES = tuple(int(outcome) for outcome in Outcome)
SMALL = 10
"""A batch is small when so many of its size would still go into one."""
PAUSE_WINDOW = 40
"""How many of the last messages are looked at to tell a few bad events from a broken store."""


class Writer:
    """One loop: lease, append, tell, ack.

    Order of effects, each with what it guarantees:
    1. append: the batch is durable and counted, or nothing is.
    2. publish: whoever waits for an outcome or watches live learns of it; best effort.
    3. ack: the sender is answered. A crash before it means a second delivery, which the claims make harmless.
    """

    def __init__(
        self, queue: EventQueue, store: EventStore, bus: Bus, *, max_events: int, gather_s: float = 0.0
    ) -> None:
        """Small batches begin `gather_s` apart, so that what arrives meanwhile shares a transaction."""
        self._queue = queue
        self._store = store
        self._bus = bus
        self._max_events = max_events
        self._gather_s = gather_s
        self._retry_s = FIRST_RETRY_S
        # (tenants of the message, whether it held data errors) of the last messages.
        self._lately: deque[tuple[frozenset[int], bool]] = deque(maxlen=PAUSE_WINDOW)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            messages = await self._queue.lease(self._max_events)
            began = loop.time()
            try:
                parts = await self._store.split(messages)
            except UnavailableError as error:
                await self._retry(messages, error)
            else:
                # One part, which is the rule, goes ahead of what waits to run; a task would go behind it.
                await (
                    self._try_to_settle(parts[0])
                    if len(parts) == 1
                    else asyncio.gather(*(self._try_to_settle(part) for part in parts))
                )
            early_s = began + self._gather_s - loop.time()
            if early_s > 0 and SMALL * sum(message.event_count for message in messages) < self._max_events:
                await asyncio.sleep(early_s)

    async def _try_to_settle(self, messages: Sequence[Message]) -> None:
        try:
            await self.settle(messages)
        except Exception as error:
            if not isinstance(error, UnavailableError):
                # Ours or an engine's defect: it must not end the only writer without a word.
                log.exception("append_failed")
            await self._retry(messages, error)

    async def _retry(self, messages: Sequence[Message], error: Exception) -> None:
        delay_s = self._retry_s * random.uniform(0.5, 1.0)  # nosec B311  # noqa: S311 - jitter
        self._retry_s = min(LAST_RETRY_S, 2 * self._retry_s)
        log.warning("append_unavailable", error=str(error), retry_s=round(delay_s, 3), messages=len(messages))
        await self._queue.retry(messages, delay_s)

    async def settle(self, messages: Sequence[Message]) -> None:
        """Append `messages` of one placement and ack them. Raises UnavailableError; what is not acked is not lost."""
        try:
            with APPEND_SECONDS.time():
                settlements = await self._store.append(messages)
        except DataError as error:
            if len(messages) > 1:
                half = len(messages) // 2
                await self.settle(messages[:half])
                await self.settle(messages[half:])
                return
            settlements = [await self._bury(messages[0], error)]
        else:
            WRITER_PAUSED.set(0)
            for message in messages[-PAUSE_WINDOW:]:
                self._remember(message, bad=False)
        self._retry_s = FIRST_RETRY_S
        settled = [0, 0, 0]
        for message, settlement in zip(messages, settlements, strict=True):
            for outcomes in settlement.outcomes:
                for outcome in _OUTCOMES:
                    settled[outcome] += outcomes.count(outcome)
            self._bus.publish(message, settlement)
        for outcome, count in enumerate(settled):
            SETTLED[outcome].inc(count)
        await self._queue.ack(messages)

    def _remember(self, message: Message, *, bad: bool) -> None:
        self._lately.append((frozenset(batch.tenant for batch in message.batches), bad))

    def _store_is_suspect(self) -> bool:
        """Whether half of everything lately failed, and for several tenants: then it is not the events."""
        bad = [tenants for tenants, failed in self._lately if failed]
        return len(bad) >= PAUSE_WINDOW // 4 and 2 * len(bad) >= len(self._lately) and len(frozenset().union(*bad)) > 1

    async def _bury(self, message: Message, error: DataError) -> Settlement:
        """Settle a message that holds data errors: its bad events die with their reason, its good ones are stored."""
        self._remember(message, bad=True)
        if self._store_is_suspect():
            WRITER_PAUSED.set(1)
            log.error("writer_paused", error=str(error), why="half of everything fails for several tenants at once")
            self._lately.clear()
            raise UnavailableError("the writer paused: the store refuses half of everything") from error
        batches = []
        for batch in message.batches:
            bad = set(await self._find_bad(message, batch, list(range(len(batch)))))
            doomed = batch.doomed | dict.fromkeys(bad, DeadReason.POISON.value)
            log.warning("events_buried", tenant_no=batch.tenant, events=len(bad), error=str(error))
            mended = batch.select(range(len(batch)))
            mended.doomed = doomed
            batches.append(mended)
        repaired = Message(message.incarnation, message.sequence, tuple(batches), message.wants_outcome)
        return (await self._store.append([repaired]))[0]

    async def _find_bad(self, message: Message, batch: EventBatch, indexes: list[int]) -> list[int]:
        """The indexes whose events cannot be stored, by halving: about log2(n) + 1 tries for each."""
        trial = Message(message.incarnation, message.sequence, (batch.select(indexes),))
        try:
            await self._store.append([trial], commit=False)
        except DataError:
            if len(indexes) == 1:
                return indexes
            half = len(indexes) // 2
            return [
                *await self._find_bad(message, batch, indexes[:half]),
                *await self._find_bad(message, batch, indexes[half:]),
            ]
        return []


async def run_writers(writer: Writer, count: int) -> None:
    """Several loops over one writer, so that one batch is prepared while another is stored."""
    await asyncio.gather(*(writer.run() for _ in range(count)))
