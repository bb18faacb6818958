"""Answers shared on a real server: between processes, and through its outages. What they mean is in tests/contracts."""

import asyncio
import time

import pytest
from deploy.local.valkey import Valkey

from telemetry_slice.engines.inprocess import LocalCache
from telemetry_slice.engines.redis import connection as connection_module
from telemetry_slice.engines.redis.cache import ANSWER_S, RedisCache
from telemetry_slice.model.events import TenantNo

ACME = TenantNo(1)
DEADLINE_S = 20


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(connection_module, "RETRY_S", 0.2)


@pytest.fixture
def server():
    with Valkey() as started:
        yield started


@pytest.fixture
async def caches(server):
    made = [RedisCache(server.url, LocalCache(max_rows=0), answer_s=5.0) for _ in range(2)]
    for cache in made:
        await cache.start()
    yield made
    for cache in made:
        await cache.stop()


class Source:
    def __init__(self):
        self.loads = 0

    async def __call__(self):
        self.loads += 1
        return [self.loads]


async def ask(cache, source, question="q"):
    return await cache.get(ACME, question, list[int], 600.0, source)


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_answer_is_everybodys_and_so_is_its_end(caches):
    one, other = caches
    source = Source()
    assert (await ask(one, source), await ask(other, source)) == ([1], [1])
    other.forget(ACME)
    await until(lambda: not other._unforgotten)
    assert (await ask(one, source), await ask(other, source)) == ([2], [2])


async def test_without_a_server_everything_is_loaded_and_it_is_found_again(server, caches):
    one, _ = caches
    source = Source()
    assert await ask(one, source) == [1]
    server.kill()
    assert [await ask(one, source) for _ in range(3)] == [[2], [3], [4]]
    server.start()
    await until(lambda: not one._outage.on)
    await until(lambda: one._link is not None)
    assert await ask(one, source) == await ask(one, source)


async def test_what_was_forgotten_while_the_server_was_away_is_forgotten_when_it_is_back(server, caches):
    one, other = caches
    source = Source()
    assert await ask(one, source) == [1]
    server.pause()
    one._answer_s = ANSWER_S
    began = time.monotonic()
    assert await ask(one, source) == [2]
    one.forget(ACME)
    assert await ask(one, source) == [3]
    assert time.monotonic() - began < 2
    one._answer_s = 5.0
    server.resume()
    await until(lambda: not one._unforgotten)
    # The server has kept the first answer all the while.
    assert await ask(other, source) == [4]
    assert await ask(one, source) == [4]


async def test_an_answer_of_another_release_is_loaded_again(caches):
    one, other = caches

    async def text():
        return ["an answer of another form"]

    await one.get(ACME, "q", list[str], 600.0, text)
    assert await ask(other, Source()) == [1]
