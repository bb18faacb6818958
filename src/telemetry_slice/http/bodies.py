"""How large a body may be, and how long it may take."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20
BODY_DEADLINE_S = 10.0
LISTS = {"/api/v1/provisioning": (4 << 20, 60.0)}
"""Where more is taken: bytes and seconds, by path."""


class BodyBounds:
    """Refuses a body that is too large (413), before it is read where it says so itself, or too slow (408)."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES, deadline_s: float = BODY_DEADLINE_S) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._deadline_s = deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with a `receive` that watches."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes, deadline_s = LISTS.get(scope["path"], (self._max_bytes, self._deadline_s))
        begun: float | None = None
        received, whole = 0, False
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")

        async def bounded() -> Message:
            nonlocal begun, received, whole
            if whole:
                return await receive()
            if told.isdigit() and int(told) > max_bytes:
                raise _too_large()
            now = asyncio.get_running_loop().time()
            begun = now if begun is None else begun
            try:
                async with asyncio.timeout_at(begun + deadline_s):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The body took too long to arrive.") from None
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > max_bytes:
                raise _too_large()
            return message

        await self._app(scope, bounded, send)


def _too_large() -> HTTPException:
    return HTTPException(413, "The body is too large.")
