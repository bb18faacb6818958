"""Device ids within paths: they may contain a slash."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Path
from pydantic import AfterValidator
from starlette.types import ASGIApp, Receive, Scope, Send

from ..model.events import MAX_DEVICE_ID

_SLASH = "\x1f"


def _with_slashes(text: str) -> str:
    return text.replace(_SLASH, "/")


DeviceId = Annotated[
    str,
    AfterValidator(_with_slashes),
    Path(alias="deviceId", description="The device's own id.", max_length=MAX_DEVICE_ID),
]
"""The path parameter `deviceId`."""


class EncodedSlashes:
    """Keeps `%2F` in a path from separating segments.

    Within this program it travels as a control character, which no id contains; `DeviceId` turns it back.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the path read anew where it holds an encoded slash."""
        raw: bytes = scope.get("raw_path") or b""
        if b"%2f" in raw.lower():
            path = raw.partition(b"?")[0].decode("latin-1")
            scope = {**scope, "path": unquote(path.replace("%2F", _SLASH).replace("%2f", _SLASH))}
        await self._app(scope, receive, send)
