"""The end of an API version, announced in its answers: Deprecation (RFC 9745), Sunset (RFC 8594), then 410."""

from __future__ import annotations

import re
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..model.errors import Code, SliceError
from ..model.times import SECOND_US, from_us
from ..ports.edge import Clock
from .problems import problem

_WITH_SUCCESSOR = re.compile(r"/api/v1/(telemetry|devices/[^/]+/telemetry)")


class V1Ending:
    """Marks v1 answers that have a successor in v2, and refuses them once the sunset has come."""

    def __init__(self, app: ASGIApp, clock: Clock, deprecation_us: int, sunset_us: int | None) -> None:
        self._app = app
        self._clock = clock
        self._sunset_us = sunset_us
        self._headers = [(b"deprecation", f"@{deprecation_us // SECOND_US}".encode())]
        if sunset_us is not None:
            self._headers.append((b"sunset", format_datetime(from_us(sunset_us), usegmt=True).encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers of the version's end."""
        found = _WITH_SUCCESSOR.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        link = (b"link", f'</api/v2/{found[1]}>; rel="successor-version"'.encode("ascii", "replace"))

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers, link]}
            await send(message)

        if self._sunset_us is not None and self._clock.now_us() >= self._sunset_us:
            gone = problem(SliceError(Code.GONE, f"This address has ended; use /api/v2/{found[1]}."))
            await gone(scope, receive, marked)
            return
        await self._app(scope, receive, marked)
