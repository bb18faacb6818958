"""What this process tells the others: a bounded queue, and one round trip for all that has gathered in it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ...observe import NEWS_DROPPED
from .connection import Argument, Outage, Server, keep_up, within
from .news import COUNTED, COUNTS, IF_UNHEARD, TELL, new_epoch

ANSWER_S = 1.0
PIECES_AT_ONCE = 64
BYTES_AT_ONCE = 1 << 20
QUEUE_BYTES = 16 << 20
PIECE_BYTES = 200
"""Counted for each piece besides its body."""
EVENT_BYTES = 500
"""Counted for each event of a piece that has no body yet."""
RENEW_S = 1.0


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is told on a channel: a body, or what makes one if somebody listens when its turn comes."""

    channel: str
    mode: str
    body: bytes | Callable[[], bytes]
    size: int


class Telling:
    """Pieces of news on their way to the server: (channel, whether it is counted, body).

    A piece that finds the queue full, or the server away, is dropped and counted, and the epoch is drawn anew once the
    server takes news again: then everybody knows that something is missing. So it is at the start, since the process
    before this one may have died with something untold.

    Where nobody listened when something was last told, no body is made: the server is asked, and counts the piece if
    still nobody listens; otherwise the piece is told next, with its body.
    """

    def __init__(self, server: Server, queue_bytes: int = QUEUE_BYTES) -> None:
        self._unheard: set[str] = set()
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
        self._add(_Piece(channel, COUNTED if counted else "", body, len(body) + PIECE_BYTES))

    def tell_of(self, channel: str, events: int, encode: Callable[[], bytes]) -> None:
        """Tell of so many events what `encode` will say, which is called where somebody listens. As `tell`."""
        self._add(_Piece(channel, COUNTED, encode, events * EVENT_BYTES + PIECE_BYTES))

    def _add(self, piece: _Piece) -> None:
        if not self._connected or self._bytes > self._queue_bytes:
            self._untold = True
            NEWS_DROPPED.inc()
            return
        self._pieces.append(piece)
        self._bytes += piece.size
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
                for piece, body in pieces:
                    flat += (piece.channel, piece.mode if body is not None else IF_UNHEARD, body or b"")
                told = TELL.run(link, COUNTS, new_epoch(), "renew" if renew else "", *flat)
                heard = await within(ANSWER_S, told)
                self._outage.end()
                self._learn([(piece, body is None, ears) for (piece, body), ears in zip(pieces, heard, strict=True)])
                if not self._pieces and not self._untold:
                    self._arrived.clear()
        finally:
            self._connected = False
            await link.close()

    def _learn(self, told: list[tuple[_Piece, bool, int]]) -> None:
        """Who listens where; what was not told because somebody does comes first, and has its body then."""
        for piece, asked, ears in reversed(told):
            if piece.mode == COUNTED:
                (self._unheard.discard if ears else self._unheard.add)(piece.channel)
            if asked and ears:
                self._pieces.appendleft(piece)
                self._bytes += piece.size

    def _take(self) -> list[tuple[_Piece, bytes | None]]:
        """The next pieces with their bodies; None for what is told only if nobody listens."""
        taken: list[tuple[_Piece, bytes | None]] = []
        size = 0
        while self._pieces and len(taken) < PIECES_AT_ONCE and size < BYTES_AT_ONCE:
            piece = self._pieces.popleft()
            self._bytes -= piece.size
            body: bytes | None
            if isinstance(piece.body, bytes):
                body = piece.body
            else:
                body = None if piece.channel in self._unheard else piece.body()
            taken.append((piece, body))
            size += len(body or b"") + PIECE_BYTES
        return taken
