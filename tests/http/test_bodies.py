"""Bodies that are too large or too slow, piece by piece."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from telemetry_slice.http.bodies import BodyBounds
from telemetry_slice.http.problems import UnexpectedErrors


async def length(scope, receive, send):
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


async def ask(pieces, *, headers=(), max_bytes=100, deadline_s=0.05):
    """The status that `pieces` come to; after the last piece nothing arrives any more."""
    waiting, sent = list(pieces), []

    async def receive():
        if not waiting:
            await asyncio.Event().wait()
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": list(headers), "query_string": b""}
    await UnexpectedErrors(BodyBounds(length, max_bytes, deadline_s))(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b""], 200),
        ([b"x" * 50, b"x" * 50, b""], 200),
        ([b"x" * 50, b"x" * 51, b""], 413),
        ([b"x" * 1000], 413),
        ([b"x"], 408),
        ([], 408),
    ],
)
async def test_a_body_has_its_bounds(pieces, status):
    assert await ask(pieces) == status


async def test_a_body_that_says_it_is_too_large_is_not_read():
    assert await ask([], headers=[(b"content-length", b"101")]) == 413
    assert await ask([b"x", b""], headers=[(b"content-length", b"1")]) == 200
