"""202 means durable: the server and its child killed under load, again and again, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from .load import Ledger, books_of, check, under_load
from .processes import Server, wait_until


def crash(server: Server, kills: int, seed: int) -> None:
    """Kill under load; afterwards everything acknowledged is there, once, and the books agree with the senders."""
    print(f"seed {seed}, {kills} kills")
    rnd = random.Random(seed)
    server.start()
    tenant = server.demo["tenants"]["acme-123"]
    before = books_of(server, tenant["serviceKey"])
    assert before["balanced"]

    def kill_once(ledger: Ledger) -> None:
        # A random moment: after a random number of further acknowledgements, and at most half a second.
        goal, limit = ledger.acks + rnd.randrange(1, 60), time.monotonic() + rnd.random() / 2
        wait_until(lambda: ledger.acks >= goal or time.monotonic() > limit, "load")
        if rnd.random() < 0.25:
            # The child alone: the server stays, answers 503 and starts another.
            os.kill(server.writer_pid(), 9)
            acks = ledger.acks
            wait_until(lambda: ledger.acks > acks, "an answer of the new child")
        else:
            server.kill()
            server.start()
        books = books_of(server, tenant["serviceKey"])
        assert books["balanced"], f"not balanced: {books}"

    def work(ledger: Ledger) -> None:
        for _ in range(kills):
            kill_once(ledger)

    ledger = asyncio.run(under_load(server, tenant["gatewayKey"], seed, work))
    # This host's own agent sends for the same tenant.
    check(server, tenant["serviceKey"], ledger, before, alone=False)
    assert ledger.acks > kills, "the load was no load"


@pytest.mark.timeout(900)
def test_killed_at_random_moments_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Kills of the server with its child, or of the child alone, under load."""
    server = Server(tmp_path)
    try:
        crash(
            server,
            kills=int(os.environ.get("CRASH_KILLS", "25")),
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
        crash(server, kills=500, seed=int(os.environ.get("CRASH_SEED", time.time_ns())))
    finally:
        server.kill()


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
                crash(server, kills=2, seed=seed)
                server.kill()
    finally:
        server.kill()
