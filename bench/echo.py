"""The least an ASGI server can do with a body: read it, decode it if asked to, answer. The limit that HTTP sets."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import uvicorn

ANSWER = b'{"accepted":1,"rejected":[]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


class Event(msgspec.Struct, rename="camel"):
    """What a body holds."""

    event_id: str
    device_id: str
    recorded_at: str
    type: str
    value: float
    unit: str


decode = msgspec.json.Decoder(Event | list[Event]).decode if "--decode" in sys.argv else bytes


async def app(_scope: Any, receive: Any, send: Any) -> None:
    """Read everything, answer 202."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if body:
        decode(body)
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), http="httptools", loop="uvloop", log_level="warning",
        access_log=False, lifespan="off",
    )  # fmt: skip
