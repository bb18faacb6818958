"""202 means durable: the server and its child killed under load, again and again, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from .load import SENDERS, Ledger, books_of, dead_ids, sender, stored_ids
from .processes import Server, wait_until


def run_crashes(server: Server, kills: int, seed: int) -> tuple[Ledger, dict[str, Any], str]:
    """Kill under load; afterwards what the senders know, the books, and the service key."""
    rnd = random.Random(seed)
    server.start()
    tenant = server.demo["tenants"]["acme-123"]
    before = books_of(server, tenant["serviceKey"])
    assert before["balanced"]
    ledger = Ledger()

    async def kill_once() -> None:
        # A random moment: after a random number of further acknowledgements, and at most half a second.
        goal, limit = ledger.acks + rnd.randrange(1, 60), time.monotonic() + rnd.random() / 2
        while ledger.acks < goal and time.monotonic() < limit:
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        if rnd.random() < 0.25:
            # The child alone: the server stays, answers 503 and starts another.
            os.kill(await asyncio.to_thread(server.writer_pid), 9)
            acks = ledger.acks
            async with asyncio.timeout(30):
                while ledger.acks == acks:
                    await asyncio.sleep(0.005)
        else:
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        books = await asyncio.to_thread(books_of, server, tenant["serviceKey"])
        assert books["balanced"], f"not balanced: {books}"

    async def scenario() -> None:
        stop = asyncio.Event()
        senders = [
            asyncio.create_task(sender(server, tenant["gatewayKey"], ledger, random.Random(rnd.random()), name, stop))
            for name in range(SENDERS)
        ]
        try:
            for _ in range(kills):
                await kill_once()
            stop.set()
            done, _ = await asyncio.wait(senders, timeout=60)
            for task in done:
                task.result()
        finally:
            stop.set()
            for task in senders:
                task.cancel()
            await asyncio.gather(*senders, return_exceptions=True)

    asyncio.run(scenario())
    wait_until(lambda: books_of(server, tenant["serviceKey"])["inFlight"] == 0, "drained queue")
    books = books_of(server, tenant["serviceKey"])
    for name in ("accepted", "stored", "duplicate"):
        books[f"{name}Since"] = books[name] - before[name]
    return ledger, books, tenant["serviceKey"]


def check(server: Server, kills: int, seed: int) -> None:
    """Everything acknowledged is there, once, and the books agree with the senders."""
    print(f"seed {seed}, {kills} kills")
    ledger, books, key = run_crashes(server, kills, seed)
    stored, dead = stored_ids(server, key), dead_ids(server, key)
    print(
        f"{ledger.acks} acknowledgements, {len(stored)} stored, {len(dead)} dead,",
        f"answers {dict(ledger.statuses)}, {books}",
    )
    assert set(stored.values()) <= {1}, "an event is stored twice"
    missing = ledger.acknowledged - stored.keys() - dead.keys()
    assert not missing, f"{len(missing)} acknowledged events are lost"
    assert stored.keys() <= ledger.sent
    assert dead.keys() <= ledger.doomed
    assert books["balanced"], f"not balanced: {books}"
    host_events = books["storedSince"] - len(stored)
    assert host_events >= 0, "fewer in the books than stored"
    # Of the crash senders' events exactly those stored are in the books; the rest is this host's own agent.
    assert books["dead"].get("clock", 0) == len(dead)
    assert ledger.acknowledged_events <= books["acceptedSince"]
    assert books["acceptedSince"] - host_events <= ledger.attempted_events
    assert ledger.acks > kills, "the load was no load"


@pytest.mark.timeout(900)
@pytest.mark.timeout(900)
def test_killed_at_random_moments_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Fifty kills of the server with its child, or of the child alone, under load."""
    server = Server(tmp_path)
    try:
        check(
            server,
            kills=int(os.environ.get("CRASH_KILLS", "50")),
            seed=int(os.environ.get("CRASH_SEED", time.time_ns())),
        )
        assert server.stop() == 0
    finally:
        server.kill()


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_killed_five_hundred_times(tmp_path: Path) -> None:
    """The same for a long time."""
    server = Server(tmp_path)
    try:
        check(server, kills=500, seed=int(os.environ.get("CRASH_SEED", time.time_ns())))
    finally:
        server.kill()


@pytest.mark.timeout(600)
@pytest.mark.timeout(600)
def test_a_server_that_acknowledges_before_it_commits_is_caught(tmp_path: Path) -> None:
    """The negative control: with the guard of `put` removed, the same check fails."""
    server = Server(tmp_path)
    try:
        # The demo waits for outcomes, which a hasty server cannot tell: it is made by an honest one.
        server.start()
        assert server.stop() == 0
        server.program = (str(Path(__file__).with_name("acknowledges_too_early.py")),)
        with pytest.raises(AssertionError, match=r"are lost|balanced"):
            for seed in range(5):
                check(server, kills=2, seed=seed)
                server.kill()
    finally:
        server.kill()
