"""Answers in one packet, and heads that do not wait for a body that is late."""

from __future__ import annotations

import asyncio

import pytest

from telemetry_slice.http.packets import JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Sent:
    """A transport that keeps what reaches it."""

    def __init__(self):
        self.pieces = []

    def write(self, data):
        self.pieces.append(data)

    def close(self):
        self.pieces.append("closed")

    def is_closing(self):
        return "closed" in self.pieces


@pytest.fixture
async def sent():
    return Sent()


@pytest.fixture
async def joined(sent):
    return JoinedWrites(sent, asyncio.get_running_loop())


async def test_a_head_leaves_with_its_body(sent, joined):
    joined.write(HEAD)
    joined.write(b"ok")
    await asyncio.sleep(0)
    assert sent.pieces == [HEAD + b"ok"]


async def test_a_head_alone_leaves_at_the_next_turn(sent, joined):
    joined.write(HEAD)
    assert sent.pieces == []
    await asyncio.sleep(0)
    joined.write(b"late")
    assert sent.pieces == [HEAD, b"late"]


async def test_two_heads_keep_their_order(sent, joined):
    joined.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    joined.write(HEAD)
    joined.write(b"ok")
    await asyncio.sleep(0)
    assert b"".join(sent.pieces) == b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"ok"


@pytest.mark.parametrize("act", ["close", "is_closing"])
async def test_nothing_overtakes_a_head(sent, joined, act):
    joined.write(HEAD)
    getattr(joined, act)()
    await asyncio.sleep(0)
    assert sent.pieces == [HEAD] + ["closed"] * (act == "close")
