"""Heads of requests: their bounds, and answers that are never taken for another's."""

import asyncio
import socket

import pytest
import uvicorn

from telemetry_slice.http import heads
from telemetry_slice.http.heads import MAX_HEAD_BYTES, BoundedHeads

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
SHORT_S = 0.2


class Echo:
    """Answers with the length of the body, once it may."""

    def __init__(self):
        self.may = asyncio.Event()
        self.may.set()
        self.asked = 0

    async def __call__(self, scope, receive, send):
        self.asked += 1
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        await self.may.wait()
        body = b"%d" % size
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def echo():
    return Echo()


@pytest.fixture
async def connect(echo, monkeypatch):
    """Open connections to a real server of `echo`."""
    monkeypatch.setattr(heads, "HEAD_DEADLINE_S", SHORT_S)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(echo, http=BoundedHeads, lifespan="off", log_level="error"))
    task = asyncio.create_task(server._serve([listener]))
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    writers = []

    async def open_one():
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writers.append(writer)
        return reader, writer

    open_one.server = server
    yield open_one
    echo.may.set()
    for writer in writers:
        writer.close()
    server.should_exit = True
    await task


async def until_closed(reader):
    return await asyncio.wait_for(reader.read(), 10)


async def answer(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), await reader.readexactly(length)


async def test_a_head_of_many_pieces(connect):
    reader, writer = await connect()
    for byte in GET + b"\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
    assert await answer(reader) == (200, b"0")


@pytest.mark.parametrize("size", [MAX_HEAD_BYTES - 200, MAX_HEAD_BYTES + 200, 20 * MAX_HEAD_BYTES])
@pytest.mark.parametrize("ends", [True, False])
async def test_the_size_of_a_head(connect, echo, size, ends):
    reader, writer = await connect()
    writer.write(GET + b"X-Junk: " + b"x" * size + (b"\r\n\r\n" if ends else b""))
    if size < MAX_HEAD_BYTES and ends:
        assert await answer(reader) == (200, b"0")
        return
    try:
        told = await until_closed(reader)
    except ConnectionResetError:
        # Who still sends when the server closes may not hear why.
        assert size > 10 * MAX_HEAD_BYTES
        return
    assert told.startswith(b"HTTP/1.1 431 " if size > MAX_HEAD_BYTES else b"HTTP/1.1 408 ")
    assert b"application/problem+json" in told
    assert echo.asked == 0


async def test_large_bodies_are_no_heads(connect):
    reader, writer = await connect()
    size = 10 * MAX_HEAD_BYTES
    for _ in range(3):
        # The next head follows in the same piece as the end of the body, and goes on later.
        writer.write(POST % size + bytes(size) + b"GE")
        await writer.drain()
        assert await answer(reader) == (200, b"%d" % size)
        writer.write(GET[2:] + b"\r\n")
        assert await answer(reader) == (200, b"0")


@pytest.mark.parametrize("said", [b"", b"G", GET, GET + b"X: y"])
async def test_a_slow_head_is_ended(connect, said):
    reader, writer = await connect()
    writer.write(said)
    told = await until_closed(reader)
    assert told.startswith(b"HTTP/1.1 408 ")


async def test_slow_answers_and_bodies_have_their_own_time(connect, echo):
    echo.may.clear()
    reader, writer = await connect()
    writer.write(POST % 2 + b"x")
    await asyncio.wait([asyncio.create_task(echo.may.wait())], timeout=3 * SHORT_S)
    writer.write(b"y")
    echo.may.set()
    assert await answer(reader) == (200, b"2")


@pytest.mark.parametrize(
    "junk", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"]
)
async def test_what_is_no_http(connect, junk):
    reader, writer = await connect()
    writer.write(junk)
    told = await until_closed(reader)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in told


async def test_a_refusal_is_not_taken_for_the_answer_to_an_earlier_request(connect, echo):
    echo.may.clear()
    reader, writer = await connect()
    writer.write(GET + b"\r\n" + b"\x00 no HTTP \r\n\r\n")
    assert await until_closed(reader) == b""
    assert echo.asked == 1


async def test_a_body_that_breaks_is_refused(connect):
    reader, writer = await connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert (await until_closed(reader)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("before", [0, 1])
async def test_a_request_on_its_way_to_a_server_that_stops_is_answered(connect, before):
    reader, writer = await connect()
    for _ in range(before):
        writer.write(GET + b"\r\n")
        assert await answer(reader) == (200, b"0")
    # The other end has taken the connection once another one, opened later, is answered.
    other_reader, other_writer = await connect()
    other_writer.write(GET + b"\r\n")
    assert await answer(other_reader) == (200, b"0")
    connect.server.should_exit = True
    async with asyncio.timeout(10):
        while connect.server.servers[0].is_serving():
            await asyncio.sleep(0.01)
    writer.write(GET + b"\r\n")
    assert await answer(reader) == (200, b"0")
    assert await until_closed(reader) == b""


async def test_a_server_that_stops_does_not_wait_for_idle_connections(connect):
    reader, writer = await connect()
    writer.write(GET + b"\r\n")
    assert await answer(reader) == (200, b"0")
    connect.server.should_exit = True
    assert await until_closed(reader) == b""
