"""What a stream holds, for the books: each pack is looked at once, however often they are asked."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import structlog
from nats.aio.msg import Msg

from ...model.books import HeldMessage
from ...model.errors import UnavailableError
from .connection import Connection, Session
from .envelope import CorruptPackError, NewerPackError, held_of
from .lane import stream_state
from .settings import MIB, LaneSettings

log = structlog.get_logger()

AT_A_TIME = 256
BYTES_AT_A_TIME = 8 * MIB


class Holdings:
    """Remembers what is in the packs of a stream, by their numbers there.

    The stream's state says which numbers it holds. Packs that are new are read, without their events being decoded;
    those that are gone are forgotten. So asking often costs one question each time, and only a long backlog that
    nobody has asked about costs its size, once.
    """

    def __init__(self, connection: Connection, settings: LaneSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._known: dict[int, tuple[HeldMessage, ...]] = {}
        self._asking = asyncio.Lock()

    async def read(self) -> list[HeldMessage]:
        """What the stream holds. Raises UnavailableError."""
        session = self._connection.session
        if session is None:
            raise UnavailableError("the queue cannot be reached")
        async with self._asking:
            there = _numbers(await stream_state(session, self._settings))
            self._known = {number: self._known[number] for number in there if number in self._known}
            missing = [number for number in there if number not in self._known]
            if missing:
                await self._read_from(session, missing[0], missing[-1])
                await self._read_what_lags(session, [number for number in missing if number not in self._known])
            return [message for number in there for message in self._known.get(number, ())]

    async def _read_what_lags(self, session: Session, missing: list[int]) -> None:
        """A pack that was not found has been settled meanwhile, or a replica that lags behind was asked."""
        if not missing or self._settings.replicas == 1:
            return
        there = set(_numbers(await stream_state(session, self._settings)))
        for number in missing:
            if number in there:
                await self._read_from_leader(session, number)

    async def _read_from(self, session: Session, first: int, last: int) -> None:
        """Read the packs from `first` to `last` that are there, some hundred with each question."""
        packs: asyncio.Queue[Msg] = asyncio.Queue()
        inbox = session.client.new_inbox()
        async with session.subscribed(inbox, packs.put, self._settings.timeout_s):
            while first <= last:
                question = {"seq": first, "batch": min(AT_A_TIME, last - first + 1), "max_bytes": BYTES_AT_A_TIME}
                await session.send(
                    f"$JS.API.DIRECT.GET.{self._settings.stream}",
                    json.dumps(question).encode(),
                    self._settings.timeout_s,
                    reply=inbox,
                )
                asked = first
                while (number := await self._next(packs)) is not None:
                    first = number + 1
                if first == asked:
                    return

    async def _next(self, packs: asyncio.Queue[Msg]) -> int | None:
        """Remember the next pack of an answer; its number, None at the end."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                pack = await packs.get()
        except TimeoutError:
            raise UnavailableError("no answer in time") from None
        headers = pack.headers or {}
        if "Nats-Sequence" not in headers or "Status" in headers:
            return None
        number = int(headers["Nats-Sequence"])
        self._remember(number, pack.data)
        return number

    async def _read_from_leader(self, session: Session, number: int) -> None:
        answer = await session.request(
            f"$JS.API.STREAM.MSG.GET.{self._settings.stream}",
            json.dumps({"seq": number}).encode(),
            self._settings.timeout_s,
        )
        message = json.loads(answer.data).get("message")
        if message is not None:
            self._remember(number, base64.b64decode(message.get("data", "")))

    def _remember(self, number: int, pack: bytes) -> None:
        try:
            self._known[number] = tuple(held_of(pack))
        except (CorruptPackError, NewerPackError) as error:
            # Nothing is known of it, and the books will miss what its gate has announced.
            log.error("pack_not_read", lane=self._settings.lane, pack=number, error=str(error))
            self._known[number] = ()


def _numbers(state: dict[str, Any]) -> list[int]:
    """The numbers that a stream holds, rising."""
    if not state["messages"]:
        return []
    gone = set(state.get("deleted") or ())
    return [number for number in range(state["first_seq"], state["last_seq"] + 1) if number not in gone]
