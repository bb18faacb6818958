import asyncio

import pytest

from telemetry_slice.ports.accounts import Account
from telemetry_slice.ports.signing_in import SecondFactor

CODES = [bytes([n]) * 32 for n in range(3)]


@pytest.fixture
async def factors(registry):
    for user_id in ("u1", "u2"):
        await registry.accounts.add(Account(user_id, f"{user_id}@example.org", "", "", platform_admin=False), [])
    return registry.signing_in.second_factors


async def test_a_factor_is_offered_confirmed_and_removed(factors):
    assert await factors.get("u1") is None
    assert await factors.offer("u1", "first")
    assert await factors.offer("u1", "second")
    assert await factors.get("u1") == SecondFactor("second", confirmed=False, recovery_codes=0)
    assert not await factors.confirm("u1", "first", 1, CODES)
    assert not await factors.confirm("u2", "second", 1, CODES)
    assert await factors.confirm("u1", "second", 1, CODES)
    assert not await factors.confirm("u1", "second", 1, CODES)
    assert not await factors.offer("u1", "third")
    assert await factors.get("u1") == SecondFactor("second", confirmed=True, recovery_codes=3)
    assert await factors.get("u2") is None
    assert not await factors.remove("u2")
    assert await factors.remove("u1")
    assert not await factors.remove("u1")
    assert await factors.get("u1") is None
    assert not await factors.use_recovery("u1", CODES[0])


async def test_a_step_and_a_recovery_code_are_taken_once(factors):
    await factors.offer("u1", "sealed")
    await factors.confirm("u1", "sealed", 7, CODES)
    assert not await factors.use_step("u1", 7)
    assert sorted(await asyncio.gather(*(factors.use_step("u1", 8) for _ in range(4)))) == [False] * 3 + [True]
    assert not await factors.use_step("u1", 6)
    assert not await factors.use_step("u2", 9)
    assert not await factors.use_recovery("u2", CODES[0])
    taken = await asyncio.gather(*(factors.use_recovery("u1", CODES[0]) for _ in range(4)))
    assert sorted(taken) == [False] * 3 + [True]
    assert (await factors.get("u1")).recovery_codes == 2
