"""A TCP relay in front of a server of this machine: it passes everything, swallows everything, or hangs up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self


class Proxy:
    """Relays to `target` (a port of 127.0.0.1) in a thread of its own.

    Attributes:
        port: where it listens.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{target}", daemon=True)
        self._passing = asyncio.Event()
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def stall(self) -> None:
        """Connections open and stay open, and no byte passes: what a network does that drops everything."""
        self._do(self._passing.clear)

    def cut(self) -> None:
        """Every connection ends, and so does each new one at once."""
        self._refusing = True
        self._do(self._abort)

    def heal(self) -> None:
        """Pass everything, also what was held back."""
        self._refusing = False
        self._do(self._passing.set)

    def _do(self, work: Any) -> None:
        self._loop.call_soon_threadsafe(work)

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._listen())
        self.heal()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self._close())
        self._do(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        self._abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            theirs, to_them = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, to_them}
        self._writers |= both
        try:
            pipes = [
                asyncio.ensure_future(self._pass(reader, to_them)),
                asyncio.ensure_future(self._pass(theirs, writer)),
            ]
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
        finally:
            self._writers -= both
            for each in both:
                each.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                data = await reader.read(1 << 16)
                # A connection that ends behind a network that drops everything is not heard to end.
                await self._passing.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()
