"""Request heads that are bounded in bytes and in time: what the HTTP server itself leaves open."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from itertools import chain
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .packets import JoinedWrites
from .problems import MEDIA_TYPE

MAX_HEAD_BYTES = 64 << 10
HEAD_DEADLINE_S = 20.0
LINGER_S = 0.5
"""How long a server that stops waits for a request that is on its way over an open connection."""


class _HeadTooLargeError(Exception):
    """Ends the parsing of a head."""


class BoundedHeads(HttpToolsProtocol):
    """HTTP/1.1 that answers 431 to a head above `MAX_HEAD_BYTES` and 408 to one that takes `HEAD_DEADLINE_S`.

    A head that comes in one piece, as nearly all do, costs two comparisons.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._in_head = False
        self._ended_a_message = False
        self._closely = False
        self._is_too_large = False
        self._is_last = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that says nothing has the same time as one that says little."""
        super().connection_made(transport)
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]
        self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """As the server does."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and look at what it has not finished."""
        self._closely = self._head_bytes > 0 or len(data) > MAX_HEAD_BYTES
        self._ended_a_message = False
        super().data_received(data)
        if not self._in_head:
            self._head_bytes = 0
            self._forget_deadline()
            return
        # Where a message ended within this piece, most of the piece was not this head.
        self._head_bytes += 1 if self._ended_a_message else len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self._too_slow)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head ends."""
        self._in_head = False
        if self._closely and len(self.url) + sum(map(len, chain.from_iterable(self.headers))) > MAX_HEAD_BYTES:
            self._is_too_large = True
            raise _HeadTooLargeError
        super().on_headers_complete()
        cycle: RequestResponseCycle | None = self.cycle
        if self._is_last and cycle:
            cycle.keep_alive = False

    def shutdown(self) -> None:
        """The server stops: what is being answered is answered, and so is a request that is on its way already."""
        self._is_last = True
        if self._is_answering():
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(LINGER_S, self._close_if_idle)

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _close_if_idle(self) -> None:
        if not self._in_head and not self._is_answering():
            self.transport.close()

    def on_message_complete(self) -> None:
        """A body ends."""
        self._ended_a_message = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser has refused."""
        if self._is_too_large:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _too_slow(self) -> None:
        self._deadline = None
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The request's head did not arrive within {HEAD_DEADLINE_S:.0f} s.")

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer and close, unless that has been done."""
        in_head, self._in_head = self._in_head, False
        self._forget_deadline()
        if self.transport.is_closing():
            return
        answering: RequestResponseCycle | None = self.cycle
        if answering and not answering.response_complete and (in_head or answering.response_started):
            # The client waits for, or reads, the answer to an earlier request: this would be taken for it.
            self.transport.close()
            return
        document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        body = msgspec.json.encode(document)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


_TOO_LARGE = f"The head of the request is larger than {MAX_HEAD_BYTES} bytes."
