"""Quotas on every engine. Time stands still unless told."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from telemetry_slice.engines.inprocess import TokenBuckets
from telemetry_slice.engines.redis.connection import Server
from telemetry_slice.engines.redis.limiter import RedisLimiter
from telemetry_slice.ports.edge import Quota


class Now:
    def __init__(self):
        self.s = 1_000.0

    def __call__(self):
        return self.s


class Nobody:
    """The local limiter of an engine that must not need one."""

    async def admit(self, quotas, cost):
        raise AssertionError("the server did not decide")


@asynccontextmanager
async def in_process(request, now):
    yield TokenBuckets(now)


@asynccontextmanager
async def redis(request, now):
    """The script as it is, but for the clock it asks: what the server's own clock does is in tests/engines."""
    url = request.getfixturevalue("valkey").url
    link = await Server(url).connect()
    await link.ask(("FLUSHALL",))
    await link.close()
    limiter = RedisLimiter(url, Nobody(), answer_s=10, now_s=now)
    await limiter.start()
    yield limiter
    await limiter.stop()


LIMITERS = {"inprocess": in_process, "redis": redis}
"""How to make a limiter over a monotonic clock; a new engine adds its line."""


@pytest.fixture
def now():
    return Now()


@pytest.fixture(params=sorted(LIMITERS))
async def limiter(request, now):
    async with LIMITERS[request.param](request, now) as made:
        yield made


def key(limit=10, name="one"):
    return Quota("key", name, limit)


async def admitted(limiter, quotas, tries, cost=1):
    """How many of `tries` at once are admitted, in the order in which they were asked."""
    verdicts = await asyncio.gather(*(limiter.admit(quotas, cost) for _ in range(tries)))
    return [verdict.broken is None for verdict in verdicts].count(True)


@pytest.mark.parametrize("limit", [1, 100, 10_000])
async def test_a_second_holds_the_limit_and_no_more(limiter, now, limit):
    quotas = (key(limit),)
    assert await admitted(limiter, quotas, limit + 5) == limit
    now.s += 0.5
    assert await admitted(limiter, quotas, limit) == limit // 2
    now.s += 3600
    assert await admitted(limiter, quotas, limit + 5) == limit


async def test_over_a_long_time_the_rate_is_the_limit(limiter, now):
    taken = await admitted(limiter, (key(100),), 100)
    for _ in range(1000):
        now.s += 0.01
        taken += await admitted(limiter, (key(100),), 3)
    assert taken in {1099, 1100}


async def test_no_quota_admits_everything(limiter):
    verdict = await limiter.admit((), 1_000_000)
    assert (verdict.broken, verdict.tightest) == (None, None)


async def test_a_refusal_says_which_and_when(limiter, now):
    await limiter.admit((key(10),), 10)
    verdict = await limiter.admit((Quota("tenant", "t", 100), key(10)), 1)
    assert (verdict.broken, verdict.remaining) == (key(10), 0)
    assert verdict.retry_after_s == pytest.approx(0.1)
    now.s += verdict.retry_after_s
    assert (await limiter.admit((key(10),), 1)).broken is None


async def test_a_refused_request_costs_nothing_anywhere(limiter):
    tenant = Quota("tenant", "t", 20)
    await limiter.admit((key(10),), 10)
    assert await admitted(limiter, (tenant, key(10)), 50) == 0
    assert await admitted(limiter, (tenant,), 30) == 20


async def test_keys_and_policies_are_apart(limiter):
    assert await admitted(limiter, (key(5, "a"),), 9) == 5
    assert await admitted(limiter, (key(5, "b"),), 9) == 5
    assert await admitted(limiter, (Quota("tenant", "a", 5),), 9) == 5


async def test_the_tightest_is_what_is_nearest_to_its_end(limiter):
    tenant = Quota("tenant", "t", 100)
    verdict = await limiter.admit((key(10), tenant), 1)
    assert (verdict.tightest, verdict.remaining) == (key(10), 9)
    await limiter.admit((tenant,), 95)
    verdict = await limiter.admit((key(10), tenant), 1)
    assert (verdict.tightest, verdict.remaining) == (tenant, 3)


async def test_a_cost_above_the_limit_needs_a_full_bucket_and_is_owed(limiter, now):
    quotas = (key(100),)
    assert (await limiter.admit(quotas, 250)).broken is None
    verdict = await limiter.admit(quotas, 1)
    assert verdict.retry_after_s == pytest.approx(1.51)
    now.s += 1.5
    assert (await limiter.admit(quotas, 1)).broken is not None
    now.s += 0.1
    assert (await limiter.admit(quotas, 1)).broken is None
    # Not full: a cost above the limit waits until it is.
    assert (await limiter.admit(quotas, 250)).broken is not None
    now.s += 1
    assert (await limiter.admit(quotas, 250)).broken is None


async def test_a_lowered_limit_holds_at_once(limiter):
    await limiter.admit((key(1000),), 1)
    assert await admitted(limiter, (key(5),), 50) == 5


async def test_memory_is_bounded_and_a_busy_key_is_not_forgotten(limiter, monkeypatch):
    monkeypatch.setattr(type(limiter), "MAX_BUCKETS", 100, raising=False)
    busy = (key(10, "busy"),)
    assert await admitted(limiter, busy, 5) == 5
    for number in range(300):
        await limiter.admit((key(10, f"passing {number}"),), 1)
        await limiter.admit(busy, 0)
    assert await admitted(limiter, busy, 50) == 5
