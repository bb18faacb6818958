"""Quotas on a real server: its clock, its outages, several processes. What they mean is in tests/contracts."""

import asyncio
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deploy.local.valkey import Valkey
from structlog.testing import capture_logs

from telemetry_slice.engines.redis.connection import RETRY_S, Server
from telemetry_slice.engines.redis.limiter import ANSWER_S, CALLS_AT_ONCE, RedisLimiter
from telemetry_slice.observe import REDIS_AWAY
from telemetry_slice.ports.edge import Quota, Verdict

DEADLINE_S = 20


class Counting:
    """A local limiter that says that it was asked."""

    def __init__(self):
        self.asked = 0

    async def admit(self, quotas, cost):
        self.asked += 1
        return Verdict(None, 0.0, quotas[0], -1)


@pytest.fixture
def server():
    with Valkey() as started:
        yield started


@pytest.fixture
def local():
    return Counting()


@pytest.fixture
async def limiter(server, local):
    # Not 50 ms: a busy machine must not look like an outage.
    made = RedisLimiter(server.url, local, answer_s=5.0)
    await made.start()
    yield made
    await made.stop()


async def ask(server, *command):
    link = await Server(server.url).connect()
    try:
        return (await link.ask(command))[0]
    finally:
        await link.close()


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def quota(limit, name="one"):
    return (Quota("key", name, limit),)


async def is_shared(limiter):
    """Whether the server decided."""
    return (await limiter.admit(quota(1_000_000, "probe"), 1)).remaining != -1


async def until_shared(limiter):
    async with asyncio.timeout(DEADLINE_S):
        while not await is_shared(limiter):
            await asyncio.sleep(0.005)


async def test_the_servers_clock_fills_the_buckets(limiter, local):
    limit, admitted, began = 200, 0, time.monotonic()
    async with asyncio.timeout(DEADLINE_S):
        while (elapsed := time.monotonic() - began) < 1.5:
            verdict = await limiter.admit(quota(limit), 1)
            admitted += verdict.broken is None
    assert local.asked == 0
    # A second's worth at once, then the rate; the last request may be a round trip older than `elapsed`.
    assert limit * (1 + elapsed) - 20 <= admitted <= limit * (1 + time.monotonic() - began) + 1


async def test_calls_that_arrive_meanwhile_share_a_round_trip_and_are_decided_in_their_order(server, limiter, local):
    verdicts = await asyncio.gather(*(limiter.admit(quota(1_000), 7) for _ in range(CALLS_AT_ONCE)))
    assert [v.broken is None for v in verdicts] == [True] * 142 + [False] * (CALLS_AT_ONCE - 142)
    assert local.asked == 0
    stats = await ask(server, "INFO", "commandstats")
    asked = [int(line.partition(b"calls=")[2].partition(b",")[0]) for line in stats.split() if b"cmdstat_eval" in line]
    assert sum(asked) <= 3


async def test_buckets_are_forgotten_by_the_server(server, limiter):
    await limiter.admit((*quota(10), Quota("tenant", "t", 5)), 9)
    keys = await ask(server, "KEYS", "*")
    assert len(keys) == 2
    for key in keys:
        assert 0 < await ask(server, "PTTL", key) <= 15_000


async def test_a_server_that_has_forgotten_the_script_is_told_again(server, limiter, local):
    assert await is_shared(limiter)
    await ask(server, "SCRIPT", "FLUSH")
    assert await is_shared(limiter)
    assert local.asked == 0


async def test_a_server_whose_clock_was_set_back_keeps_nobody_out(server, limiter):
    await limiter.admit(quota(10), 100)
    assert (await limiter.admit(quota(10), 1)).broken is not None
    (key,) = await ask(server, "KEYS", "*")
    stored = await ask(server, "GET", key)
    tokens, stamp_us = struct.unpack("<dd", stored)
    await ask(server, "SET", key, struct.pack("<dd", tokens, stamp_us + 3600e6))
    assert (await limiter.admit(quota(10), 1)).broken is None


async def test_while_the_server_is_dead_the_local_limits_hold_and_it_is_said_once(server, limiter, local):
    away = REDIS_AWAY.labels("limiter")
    with capture_logs() as logs:
        assert await is_shared(limiter)
        assert away._value.get() == 0
        server.kill()
        began = time.monotonic()
        assert not await is_shared(limiter)
        assert time.monotonic() - began < RETRY_S
        assert away._value.get() == 1
        for _ in range(100):
            assert not await is_shared(limiter)
        # Through some tries to connect.
        began = time.monotonic()
        while time.monotonic() - began < 2.5 * RETRY_S:
            asked = time.monotonic()
            assert not await is_shared(limiter)
            assert time.monotonic() - asked < 2
            await asyncio.sleep(0.01)
        server.start()
        await until_shared(limiter)
        assert away._value.get() == 0
    assert [line["event"] for line in logs] == ["redis_away", "redis_back"]
    assert logs[0]["part"] == "limiter"


async def test_nobody_waits_for_a_server_that_does_not_answer_but_those_who_asked_first(server, local):
    limiter = RedisLimiter(server.url, local)
    await limiter.start()
    try:
        await until_shared(limiter)
        server.pause()
        began = time.monotonic()
        first = [asyncio.ensure_future(is_shared(limiter)) for _ in range(10)]
        assert await asyncio.gather(*first) == [False] * 10
        assert time.monotonic() - began < 2
        waits = []
        began = time.monotonic()
        while time.monotonic() - began < 3 * RETRY_S:
            asked = time.monotonic()
            assert not await is_shared(limiter)
            waits.append(time.monotonic() - asked)
            await asyncio.sleep(0.005)
        # The tries to connect, too, cost no call anything.
        assert sorted(waits)[len(waits) // 2] < ANSWER_S / 4
        server.resume()
        await until_shared(limiter)
    finally:
        await limiter.stop()


async def test_a_full_server_is_as_good_as_none(server, limiter, local):
    await ask(server, "CONFIG", "SET", "maxmemory-policy", "noeviction")
    await ask(server, "CONFIG", "SET", "maxmemory", "1")
    assert not await is_shared(limiter)
    await ask(server, "CONFIG", "SET", "maxmemory", "0")
    await until_shared(limiter)


async def test_it_starts_without_a_server_and_finds_it_later(local):
    server = Valkey()
    limiter = RedisLimiter(server.url, local, answer_s=5.0)
    await limiter.start()
    try:
        assert not await is_shared(limiter)
        with server:
            await until_shared(limiter)
    finally:
        await limiter.stop()


async def test_stopping_leaves_nobody_waiting(server, local):
    limiter = RedisLimiter(server.url, local, answer_s=DEADLINE_S)
    await limiter.start()
    server.pause()
    asked = asyncio.ensure_future(is_shared(limiter))
    await asyncio.sleep(0)
    await limiter.stop()
    assert not await asyncio.wait_for(asked, DEADLINE_S)
    server.resume()


GREEDY = """
import asyncio, sys
import structlog
from telemetry_slice.engines.inprocess import TokenBuckets
from telemetry_slice.engines.redis.limiter import RedisLimiter
from telemetry_slice.ports.edge import Quota

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main():
    limiter = RedisLimiter(sys.argv[1], TokenBuckets(), answer_s=5)
    await limiter.start()
    print("ready", flush=True)
    sys.stdin.readline()
    asked = (limiter.admit((Quota("key", "shared", 100),), 1) for _ in range(400))
    print([verdict.broken is None for verdict in await asyncio.gather(*asked)].count(True))
    await limiter.stop()

asyncio.run(main())
"""


def greedy_pair(url):
    """What two processes are given together, and over how many seconds."""
    root = Path(__file__).resolve().parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", GREEDY, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=root,
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        given = [int(process.stdout.readline()) for process in processes]
        return sum(given), time.monotonic() - began
    finally:
        for process in processes:
            process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait()


def test_two_processes_share_one_quota(server):
    given, elapsed_s = greedy_pair(server.url)
    assert 100 <= given <= 100 * (1 + elapsed_s) + 1


def test_without_a_server_each_process_has_the_quota_for_itself(server):
    """The negative control of the test above."""
    server.stop()
    assert greedy_pair(server.url)[0] >= 200
