"""Answers that may be a moment old, on every engine."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from telemetry_slice.engines.inprocess import LocalCache
from telemetry_slice.engines.redis.cache import RedisCache
from telemetry_slice.engines.redis.connection import Server
from telemetry_slice.model.events import Kind, TenantNo
from telemetry_slice.model.series import Bucket, Insight, SeriesType

ACME, BETA = TenantNo(1), TenantNo(2)
LONG_S, DEADLINE_S = 600.0, 20


@asynccontextmanager
async def in_process(request):
    yield LocalCache()


@asynccontextmanager
async def redis(request):
    url = request.getfixturevalue("valkey").url
    link = await Server(url).connect()
    await link.ask(("FLUSHALL",))
    await link.close()
    cache = RedisCache(url, LocalCache(max_rows=0), answer_s=10)
    await cache.start()
    yield cache
    await cache.stop()


CACHES = {"inprocess": in_process, "redis": redis}
"""How to make a cache; a new engine adds its line."""


@pytest.fixture(params=sorted(CACHES))
async def cache(request):
    async with CACHES[request.param](request) as made:
        yield made


class Source:
    """Answers with the number of the load; one that is held answers when released."""

    def __init__(self):
        self.loads = 0
        self.released = asyncio.Event()
        self.released.set()

    async def __call__(self):
        self.loads += 1
        answer = [self.loads]
        await self.released.wait()
        return answer

    async def loading(self, loads):
        async with asyncio.timeout(DEADLINE_S):
            while self.loads < loads:
                await asyncio.sleep(0.001)


@pytest.fixture
def source():
    return Source()


async def ask(cache, source, tenant=ACME, question="q", max_age_s=LONG_S):
    return await cache.get(tenant, question, list[int], max_age_s, source)


async def test_an_answer_is_loaded_once_for_all_who_ask_at_once_or_soon(cache, source):
    source.released.clear()
    asked = [asyncio.ensure_future(ask(cache, source)) for _ in range(10)]
    await source.loading(1)
    source.released.set()
    assert await asyncio.gather(*asked) == [[1]] * 10
    assert await ask(cache, source) == [1]
    assert source.loads == 1


async def test_tenants_and_questions_are_apart(cache, source):
    answers = [await ask(cache, source, tenant, question) for tenant in (ACME, BETA) for question in ("q", "r")]
    assert answers == [[1], [2], [3], [4]]


async def test_an_answer_ages_from_when_it_was_asked_for(cache, source):
    began = time.monotonic()
    assert await ask(cache, source, max_age_s=1.0) == [1]
    async with asyncio.timeout(DEADLINE_S):
        while await ask(cache, source, max_age_s=1.0) == [1]:
            assert time.monotonic() - began < 4
            await asyncio.sleep(0.005)
    assert time.monotonic() - began >= 0.99
    assert source.loads == 2


async def test_a_load_that_takes_long_is_no_answer_to_who_wants_a_young_one(cache, source):
    source.released.clear()
    slow = asyncio.ensure_future(ask(cache, source, max_age_s=0.05))
    await source.loading(1)
    async with asyncio.timeout(DEADLINE_S):
        while source.loads == 1:
            asking = asyncio.ensure_future(ask(cache, source, max_age_s=0.05))
            await asyncio.sleep(0.02)
            if source.loads == 1:
                asking.cancel()
    source.released.set()
    assert (await slow, await asking) == ([1], [2])


async def test_what_is_forgotten_is_loaded_again_and_nothing_else(cache, source):
    assert (await ask(cache, source), await ask(cache, source, BETA)) == ([1], [2])
    cache.forget(ACME)
    assert (await ask(cache, source), await ask(cache, source, BETA)) == ([3], [2])


async def test_what_was_being_loaded_when_it_was_forgotten_is_not_kept(cache, source):
    source.released.clear()
    early = asyncio.ensure_future(ask(cache, source))
    await source.loading(1)
    cache.forget(ACME)
    late = asyncio.ensure_future(ask(cache, source))
    await source.loading(2)
    source.released.set()
    assert (await early, await late) == ([1], [2])
    assert await ask(cache, source) != [1]


async def test_an_error_is_everybodys_who_waits_and_is_not_kept(cache, source):
    gate = asyncio.Event()

    async def fails():
        await gate.wait()
        raise ValueError("no answer")

    asked = [asyncio.ensure_future(ask(cache, fails)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(error) for error in errors] == ["no answer"] * 3
    assert await ask(cache, source) == [1]


async def test_who_gives_up_does_not_take_the_answer_from_the_others(cache, source):
    source.released.clear()
    first, second = (asyncio.ensure_future(ask(cache, source)) for _ in range(2))
    await source.loading(1)
    first.cancel()
    source.released.set()
    assert await second == [1]
    assert source.loads == 1


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (list[Bucket], [Bucket(1, 2, 1.0, 1.5, 2.0, 2.0), Bucket(3, 1, None, None, None, "ü")]),
        (list[Bucket], [Bucket(4, 1, None, None, None, True)]),
        (list[Insight], [Insight("t", None, False, None, None, None, 1, 1 << 60)]),
        (list[Insight], [Insight("t", "C", 1e300, -0.5, 0.1, 1e300, 9, 1)]),
        (list[SeriesType], [SeriesType("t", None, int(Kind.STRING))]),
        (list[Bucket], []),
    ],
)
async def test_an_answer_that_was_kept_is_the_same(cache, form, answer):
    async def load():
        return answer

    for _ in range(2):
        got = await cache.get(ACME, "q", form, LONG_S, load)
        assert got == answer
        assert [type(each) for each in got] == [type(each) for each in answer]
        assert [type(each.last) for each in got if isinstance(each, Bucket)] == [
            type(each.last) for each in answer if isinstance(each, Bucket)
        ]


async def test_memory_is_bounded_and_the_newest_answers_stay():
    cache = LocalCache(max_rows=100)

    async def load():
        return [0] * 9

    for number in range(1_000):
        await cache.get(ACME, f"q {number}", list[int], LONG_S, load)
    assert len(cache._kept) == 10
    source = Source()
    assert await ask(cache, source, question="q 999") == [0] * 9
    assert await ask(cache, source, question="q 0") == [1]
    cache.forget(ACME)
    assert (cache._rows, cache._kept) == (0, {})
