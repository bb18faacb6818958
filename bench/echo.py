"""The least an ASGI server can do with a body: read it and answer. The limit that HTTP itself sets."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

ANSWER = b'{"accepted":1,"rejected":[]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def app(_scope: Any, receive: Any, send: Any) -> None:
    """Read everything, answer 202."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), http="httptools", loop="uvloop", log_level="warning",
        access_log=False, lifespan="off",
    )  # fmt: skip
