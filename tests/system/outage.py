"""Load on roles while something is away, and what its answers must be."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from .load import Ledger, books_of, check, under_load
from .processes import wait_until
from .roles import Roles

ANSWER_S = 10.0
"""No answer takes longer, whatever is away."""
SLOW_S = 4.0
"""Nor p99 of them, nor does ingest pause for so long, while what is away is not needed."""
PAUSE_S = 0.05
"""Between the requests of each sender: what goes on is the question, not how much of it."""


def lasting(short: float, long: float) -> pytest.MarkDecorator:
    """For how many seconds something is away: in each run, and in the long ones."""
    forms = [pytest.param(short, id="short"), pytest.param(long, id="long", marks=pytest.mark.long)]
    return pytest.mark.parametrize("seconds", forms)


def suffer(roles: Roles, work: Callable[[Ledger], None]) -> Ledger:
    """`work` under load; afterwards nothing is lost."""
    seed = int(os.environ.get("FAULT_SEED", time.time_ns()))
    print(f"FAULT_SEED={seed}")
    keys = roles.keys
    before = books_of(roles, keys["serviceKey"])

    def begun(ledger: Ledger) -> None:
        # By then each API process knows the key and the devices.
        more_answers(ledger, 100)
        work(ledger)
        more_answers(ledger, 30)

    ledger = asyncio.run(under_load(roles, keys["gatewayKey"], seed, begun, pause_s=PAUSE_S))
    check(roles, keys["serviceKey"], ledger, before)
    return ledger


def more_answers(ledger: Ledger, count: int) -> None:
    """Wait until so many more requests were acknowledged."""
    goal = ledger.acks + count
    wait_until(lambda: ledger.acks >= goal, f"{count} more acknowledgements", 90)


def hold(seconds: float) -> None:
    """Let the load go on."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, "the clock", seconds + 30)


def goes_on(ledger: Ledger) -> None:
    """Nothing but 202, all the time."""
    assert set(ledger.statuses) == {202}, ledger.refusals
    assert ledger.broken == 0
    moments = [answer.at for answer in ledger.answers]
    pause = max(later - earlier for earlier, later in pairwise(moments))
    took = sorted(answer.took for answer in ledger.answers)
    slow = took[int(len(took) * 0.99)]
    print(f"{len(moments)} answers, longest pause {pause:.2f} s, p99 {slow:.2f} s")
    assert pause < SLOW_S
    assert slow < SLOW_S


def is_bounded(ledger: Ledger) -> None:
    """202 or 503, each in time, and no connection without an answer."""
    assert set(ledger.statuses) <= {202, 503}
    assert ledger.broken == 0
    slowest = max(answer.took for answer in ledger.answers)
    print(f"{dict(ledger.statuses)}, slowest {slowest:.2f} s, {dict(ledger.refusals)}")
    assert slowest < ANSWER_S
