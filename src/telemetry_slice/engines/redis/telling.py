"""What this process tells the others: a bounded queue, and one round trip for all that has gathered in it."""

from __future__ import annotations

import asyncio
from collections import deque

from ...observe import NEWS_DROPPED
from .connection import Argument, Outage, Server, keep_up, within
from .news import COUNTS, TELL, new_epoch

ANSWER_S = 1.0
PIECES_AT_ONCE = 64
BYTES_AT_ONCE = 1 << 20
QUEUE_BYTES = 16 << 20
PIECE_BYTES = 200
"""Counted for each piece besides its body."""
RENEW_S = 1.0

_Piece = tuple[str, bool, bytes]


class Telling:
    """Pieces of news on their way to the server: (channel, whether it is counted, body).

    A piece that finds the queue full, or the server away, is dropped and counted, and the epoch is drawn anew once the
    server takes news again: then everybody knows that something is missing. So it is at the start, since the process
    before this one may have died with something untold.

    Attributes:
        unheard: channels to which nobody listened when something was last told on them.
    """

    def __init__(self, server: Server, queue_bytes: int = QUEUE_BYTES) -> None:
        self.unheard: set[str] = set()
        self._server = server
        self._queue_bytes = queue_bytes
        self._pieces: deque[_Piece] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._connected = False
        self._untold = True
        self._renewed_s = 0.0
        self._outage = Outage("news")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(keep_up(self._outage, self._live, self._drop))
        await self._outage.known.wait()

    async def stop(self, timeout_s: float = ANSWER_S) -> None:
        """Tell what is left, if the server takes it in time."""
        if self._task is None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self._connected and self._arrived.is_set() and loop.time() < deadline:
            await asyncio.sleep(0.005)
        self._task.cancel()
        await asyncio.wait((self._task,))

    def tell(self, channel: str, body: bytes, *, counted: bool = True) -> None:
        """Never blocks, never raises."""
        if not self._connected or self._bytes > self._queue_bytes:
            self._untold = True
            NEWS_DROPPED.inc()
            return
        self._pieces.append((channel, counted, body))
        self._bytes += len(body) + PIECE_BYTES
        self._arrived.set()

    def _drop(self) -> None:
        """Nothing in the queue is worth keeping: who hears of the new epoch reads everything again."""
        NEWS_DROPPED.inc(len(self._pieces))
        self._pieces.clear()
        self._bytes = 0
        self._untold = True

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        link = await self._server.connect()
        try:
            self._connected = True
            self._arrived.set()
            while True:
                await self._arrived.wait()
                pieces = self._take()
                # While more is dropped all the time, everybody need not hear of it with every round trip.
                renew = self._untold and (not self._pieces or loop.time() - self._renewed_s >= RENEW_S)
                if renew:
                    self._untold = False
                    self._renewed_s = loop.time()
                flat: list[Argument] = []
                for channel, counted, body in pieces:
                    flat += (channel, "counted" if counted else "", body)
                told = TELL.run(link, COUNTS, new_epoch(), "renew" if renew else "", *flat)
                heard = await within(ANSWER_S, told)
                self._outage.end()
                for (channel, counted, _), ears in zip(pieces, heard, strict=True):
                    if counted:
                        (self.unheard.discard if ears else self.unheard.add)(channel)
                if not self._pieces and not self._untold:
                    self._arrived.clear()
        finally:
            self._connected = False
            await link.close()

    def _take(self) -> list[_Piece]:
        pieces: list[_Piece] = []
        taken = 0
        while self._pieces and len(pieces) < PIECES_AT_ONCE and taken < BYTES_AT_ONCE:
            pieces.append(self._pieces.popleft())
            taken += len(pieces[-1][2]) + PIECE_BYTES
        self._bytes -= taken
        return pieces
