import asyncio
from dataclasses import replace

import pytest

from telemetry_slice.ports.registry import Account, Session, SessionKind


@pytest.fixture
async def session(registry, clock):
    for user_id in ("u1", "u2"):
        await registry.accounts.add(Account(user_id, f"{user_id}@example.org", "", "", platform_admin=False), [])
    return Session(b"a", SessionKind.REFRESH, "family", "u1", "acme", clock.us, clock.us + 1000, used=False)


async def test_a_session_is_kept_whole(registry, session):
    browser = replace(session, token=b"b", kind=SessionKind.BROWSER, tenant_id=None)
    for kept in (session, browser):
        await registry.sessions.add(kept)
        assert await registry.sessions.find(kept.token) == kept
    assert await registry.sessions.find(b"x") is None


async def test_a_token_is_rotated_once(registry, session):
    await registry.sessions.add(session)
    rotations = [registry.sessions.rotate(b"a", replace(session, token=bytes([n]))) for n in range(5)]
    results = await asyncio.gather(*rotations)
    assert sorted(results) == [False] * 4 + [True]
    assert (await registry.sessions.find(b"a")).used
    found = [await registry.sessions.find(bytes([n])) for n in range(5)]
    assert [kept is not None for kept in found] == results
    assert not await registry.sessions.rotate(b"unknown", replace(session, token=b"z"))


async def test_a_session_is_extended_and_switched(registry, session):
    await registry.sessions.add(session)
    await registry.sessions.extend(b"a", 99)
    await registry.sessions.switch(b"a", "beta")
    assert await registry.sessions.find(b"a") == replace(session, expires_us=99, tenant_id="beta")


async def test_families_and_users_end(registry, session):
    for token, family, user_id in ((b"a", "f", "u1"), (b"b", "f", "u1"), (b"c", "g", "u1"), (b"d", "h", "u2")):
        await registry.sessions.add(replace(session, token=token, family=family, user_id=user_id))
    await registry.sessions.end_family("f")
    assert [await registry.sessions.find(t) is None for t in (b"a", b"b", b"c", b"d")] == [True, True, False, False]
    await registry.sessions.end_user("u1")
    assert [await registry.sessions.find(t) is None for t in (b"c", b"d")] == [True, False]


async def test_expired_sessions_are_forgotten(registry, session):
    await registry.sessions.add(session)
    await registry.sessions.add(replace(session, token=b"b", expires_us=session.expires_us + 1))
    assert await registry.sessions.forget_expired(session.expires_us + 1) == 1
    assert await registry.sessions.forget_expired(session.expires_us + 1) == 0
    assert await registry.sessions.find(b"b") is not None
