"""The head of an answer leaves with its body: one system call and one packet instead of two."""

from __future__ import annotations

import asyncio
from typing import Any

_END_OF_HEAD = b"\r\n\r\n"


class JoinedWrites:
    """A transport that holds a head back until what follows it, and no longer than until the event loop's next turn."""

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send, or hold what may be a head."""
        if self._head:
            data = self._head + data
            self._head = b""
        elif data.endswith(_END_OF_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Send what is held, and close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        self._flush()
        return getattr(self._transport, name)
