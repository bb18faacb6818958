"""The writer's end of a lane: packs are pulled, their messages leased, a pack is acked when all of them are settled."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from nats.aio.msg import Msg

from ...model.errors import UnavailableError
from ...model.events import Message, TenantNo
from ...observe import QUEUE_POISONED, QUEUE_STALLS
from .connection import Connection, Session, ended
from .envelope import CorruptPackError, NewerPackError, messages_of
from .lane import CONSUMER
from .settings import MIB, LaneSettings

log = structlog.get_logger()

BATCH = 32
"""Packs asked for at a time."""
MOST_PACKS = 256
"""Packs a process looks ahead, at most."""
PULL_BYTES = 16 * MIB
PULL_MARGIN_BYTES = 64 << 10
PULL_S = 5.0
HEARTBEAT_S = 1.0
SILENT_S = 3.5
"""A pull without any word for so long is dead: the server sends a heartbeat every HEARTBEAT_S."""
TOP_UP_S = 0.01
"""How long a lease waits for packs that are on their way already."""
LATER_S = 5.0
"""When a pack that cannot be read now is delivered again."""
RETRY_S = 0.2
HEARTBEAT = "100"
OVER = frozenset({"404", "408"})
"""Nothing came before the pull expired, or the server has lost sight of it."""
COMPLETE = frozenset({"Message Size Exceeds MaxBytes", "Batch Completed"})
"""The pull has brought what fits."""
ACK, NAK, TERM, PROGRESS = b"+ACK", b"-NAK", b"+TERM", b"+WPI"
_NS = 1_000_000_000

_Key = tuple[bytes, int]


class _Pack:
    """A pack that is being settled here."""

    __slots__ = ("arrived", "number", "open", "reply")

    def __init__(self, number: int, reply: str, arrived: float) -> None:
        self.number = number
        self.reply = reply
        self.arrived = arrived
        self.open: set[_Key] = set()


class Consumer:
    """Pulls ahead, about twice what a lease takes, so that tenants can take turns within it.

    Acks, like everything a writer says of a pack, are sent and not waited for: one that is lost means another delivery,
    which the claims of the store make harmless.
    """

    def __init__(self, connection: Connection, settings: LaneSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._packs: dict[int, _Pack] = {}
        self._holders: dict[_Key, list[_Pack]] = {}
        # Tenants with waiting messages, in the order of their turns.
        self._lines: OrderedDict[TenantNo, deque[Message]] = OrderedDict()
        self._events = 0
        self._ahead = 1
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._topped = asyncio.Event()
        self._paused = False
        self._resuming: asyncio.TimerHandle | None = None
        self._pulls = 0
        self._pull_inbox = ""
        self._trouble = ""
        self._asked = 0
        self._heard = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to pull."""
        self._tasks = [asyncio.create_task(self._pull()), asyncio.create_task(self._extend())]

    async def close(self) -> None:
        """Give back at once what is leased or waits."""
        await ended(*self._tasks)
        for pack in self._packs.values():
            await self._say(pack.reply, NAK)

    # ------------------------------------------------------------------------------------------------- the port
    async def lease(self, max_events: int) -> Sequence[Message]:
        if not self._tasks:
            self.start()
        if 2 * max_events > self._ahead:
            self._ahead = 2 * max_events
            self._room.set()
        while True:
            await self._ready.wait()
            if not self._topped.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(TOP_UP_S):
                        await self._topped.wait()
            leased = self._take(max_events) if not self._paused else []
            if leased:
                return leased

    def _take(self, max_events: int) -> list[Message]:
        leased: list[Message] = []
        wanted = max_events
        while self._lines and wanted > 0:
            tenant, line = self._lines.popitem(last=False)
            # One message a turn: a tenant with a long line waits behind everybody else's next message.
            message = line.popleft()
            leased.append(message)
            wanted -= message.event_count
            if line:
                self._lines[tenant] = line
        self._events -= sum(message.event_count for message in leased)
        if not self._lines:
            self._ready.clear()
        self._room.set()
        return leased

    async def ack(self, messages: Sequence[Message]) -> None:
        for message in messages:
            key = message.incarnation, message.sequence
            for pack in self._holders.pop(key, ()):
                pack.open.discard(key)
                if not pack.open:
                    self._packs.pop(pack.number, None)
                    await self._say(pack.reply, ACK)
        self._room.set()

    async def retry(self, messages: Sequence[Message], delay_s: float) -> None:
        """Keep the messages and lease them again; those of a pack older than `hold_s` go back to the server."""
        for message in reversed(messages):
            if (message.incarnation, message.sequence) in self._holders:
                self._lines.setdefault(message.batches[0].tenant, deque()).appendleft(message)
                self._events += message.event_count
        self._paused = True
        self._ready.clear()
        loop = asyncio.get_running_loop()
        # One pause for all who lease: each ending one of its own, two would soon try without any.
        if self._resuming is not None:
            self._resuming.cancel()
        self._resuming = loop.call_later(delay_s, self._resume)
        limit = loop.time() - self._settings.hold_s
        stale = {
            pack.number: pack
            for message in messages
            for pack in self._holders.get((message.incarnation, message.sequence), ())
            if pack.arrived < limit
        }
        if stale:
            await self._give_back(stale.values(), delay_s)

    def _resume(self) -> None:
        self._paused = False
        self._room.set()
        if self._lines:
            self._ready.set()

    async def _give_back(self, stale: Iterable[_Pack], delay_s: float) -> None:
        """Let another writer try the packs of which nothing is leased here."""
        waiting = {(message.incarnation, message.sequence) for line in self._lines.values() for message in line}
        given = [pack for pack in stale if pack.open <= waiting]
        for pack in given:
            del self._packs[pack.number]
            for key in pack.open:
                self._holders[key].remove(pack)
                if not self._holders[key]:
                    del self._holders[key]
        self._lines = OrderedDict(
            (tenant, kept)
            for tenant, line in self._lines.items()
            if (kept := deque(message for message in line if (message.incarnation, message.sequence) in self._holders))
        )
        self._events = sum(message.event_count for line in self._lines.values() for message in line)
        self._room.set()
        # Said when all is settled here: whoever else gives back meanwhile finds nothing half done.
        for pack in given:
            log.warning("pack_given_back", lane=self._settings.lane, pack=pack.number, messages=len(pack.open))
            await self._say(pack.reply, _nak(delay_s))

    # ------------------------------------------------------------------------------------------------- pulling
    async def _pull(self) -> None:
        while True:
            session = await self._connection.opened()
            try:
                await self._pull_from(session)
            except UnavailableError as error:
                log.warning("queue_pull_failed", lane=self._settings.lane, error=str(error))
                session.drop(str(error))
            except Exception:
                log.exception("queue_pull_failed", lane=self._settings.lane)
            await asyncio.sleep(RETRY_S)

    async def _pull_from(self, session: Session) -> None:
        """One subscription, until it or its session is dead."""
        loop = asyncio.get_running_loop()
        inbox = session.client.new_inbox()
        # Each pull has its own inbox, so that a late word about the one before does not end it.
        async with session.subscribed(f"{inbox}.*", self._receive, self._settings.timeout_s):
            self._asked, self._heard, self._trouble = 0, loop.time(), ""
            looked = loop.time()
            while session.alive:
                self._room.clear()
                if self._trouble:
                    # The consumer is gone, has a new leader, has too many pulls: look at everything anew.
                    raise UnavailableError(self._trouble)
                if not self._asked and self._has_room():
                    await self._ask(session, inbox)
                waker = asyncio.ensure_future(self._room.wait())
                either: set[asyncio.Future[Any]] = {waker, session.lost}
                try:
                    await asyncio.wait(either, timeout=1, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waker.cancel()
                now = loop.time()
                if self._asked and now - self._heard > SILENT_S:
                    self._stalled("no heartbeat")
                    return
                if self._packs or not self._asked:
                    looked = now
                elif now - looked > self._settings.watch_s:
                    looked = now
                    if await self._misses_something(session):
                        self._stalled("messages are pending, none is delivered")
                        return

    def _stalled(self, why: str) -> None:
        QUEUE_STALLS.inc()
        log.error("queue_stalled", lane=self._settings.lane, error=why)

    async def _misses_something(self, session: Session) -> bool:
        answer = await session.request(
            f"$JS.API.CONSUMER.INFO.{self._settings.stream}.{CONSUMER}", b"", self._settings.timeout_s
        )
        return not self._packs and bool(json.loads(answer.data).get("num_pending"))

    def _has_room(self) -> bool:
        # A writer that cannot settle what it has leaves the rest to the others.
        return not self._paused and self._events < self._ahead and len(self._packs) < MOST_PACKS

    async def _ask(self, session: Session, inbox: str) -> None:
        self._pulls += 1
        self._pull_inbox = f"{inbox}.{self._pulls}"
        self._asked = min(BATCH, MOST_PACKS - len(self._packs))
        self._heard = asyncio.get_running_loop().time()
        wanted = {
            "batch": self._asked,
            "expires": round(PULL_S * _NS),
            "idle_heartbeat": round(HEARTBEAT_S * _NS),
            # The server ends a pull before the pack that would exceed this; alone, the largest must fit.
            "max_bytes": max(PULL_BYTES, self._settings.max_message_bytes + PULL_MARGIN_BYTES),
        }
        await session.send(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._settings.stream}.{CONSUMER}",
            json.dumps(wanted).encode(),
            self._settings.timeout_s,
            reply=self._pull_inbox,
        )

    async def _receive(self, delivered: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        status = (delivered.headers or {}).get("Status")
        if status is not None:
            self._topped.set()
            if status != HEARTBEAT and delivered.subject == self._pull_inbox:
                about = (delivered.headers or {}).get("Description", "")
                if status not in OVER and about not in COMPLETE:
                    self._trouble = f"{status} {about}".strip()
                self._asked = 0
                self._room.set()
            return
        self._asked = max(0, self._asked - 1)
        told = delivered.metadata
        number = told.sequence.stream
        if (pack := self._packs.get(number)) is not None:
            # Delivered again while it is being settled here: the latest delivery is the one to ack.
            pack.reply = delivered.reply
        else:
            await self._open(number, delivered)
        if told.num_pending and self._has_room():
            self._topped.clear()
        else:
            self._topped.set()
        if self._lines and not self._paused:
            self._ready.set()
        if not self._asked:
            self._room.set()

    async def _open(self, number: int, delivered: Msg) -> None:
        try:
            messages = messages_of(delivered.data)
        except CorruptPackError as error:
            await self._bury(number, delivered, str(error))
            return
        except NewerPackError as error:
            log.error("pack_of_a_newer_release", lane=self._settings.lane, pack=number, error=str(error))
            await self._say(delivered.reply, _nak(LATER_S))
            return
        pack = _Pack(number, delivered.reply, asyncio.get_running_loop().time())
        for message in messages:
            key = message.incarnation, message.sequence
            if key in pack.open:
                continue
            pack.open.add(key)
            holders = self._holders.setdefault(key, [])
            holders.append(pack)
            if len(holders) == 1:
                self._lines.setdefault(message.batches[0].tenant, deque()).append(message)
                self._events += message.event_count
        self._packs[number] = pack

    async def _bury(self, number: int, delivered: Msg, error: str) -> None:
        """Keep the bytes of a corrupted pack where a person can look at them, and go on."""
        try:
            session = await asyncio.wait_for(self._connection.opened(), self._settings.timeout_s)
            answer = await session.request(
                self._settings.poison_subject,
                delivered.data,
                self._settings.timeout_s,
                # Buried once, also when the word to the server is lost and the pack comes again soon.
                headers={"Nats-Msg-Id": str(number), "Tslice-Error": error[:200]},
            )
            refusal = json.loads(answer.data).get("error")
        except (UnavailableError, TimeoutError, ValueError) as failure:
            refusal = str(failure) or type(failure).__name__
        if refusal:
            log.error("poison_not_kept", lane=self._settings.lane, pack=number, error=str(refusal))
            await self._say(delivered.reply, _nak(LATER_S))
            return
        QUEUE_POISONED.inc()
        log.error("pack_buried", lane=self._settings.lane, pack=number, error=error, size_bytes=len(delivered.data))
        await self._say(delivered.reply, TERM)

    # ------------------------------------------------------------------------------------------------- words
    async def _extend(self) -> None:
        """Tell the server every third of its patience that the packs are still being worked on."""
        while True:
            await asyncio.sleep(self._settings.ack_wait_s / 3)
            for pack in tuple(self._packs.values()):
                await self._say(pack.reply, PROGRESS)

    async def _say(self, reply: str, word: bytes) -> None:
        """Say something about a pack, if there is anybody to say it to."""
        session = self._connection.session
        if session is None:
            return
        try:
            await session.send(reply, word, self._settings.timeout_s)
        except UnavailableError as error:
            log.debug("queue_word_lost", lane=self._settings.lane, error=str(error))


def _nak(delay_s: float) -> bytes:
    return NAK + b" " + json.dumps({"delay": round(delay_s * _NS)}).encode()
