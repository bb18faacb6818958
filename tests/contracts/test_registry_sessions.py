import asyncio
import random
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from telemetry_slice.engines.sql.signing_in_tables import sign_ins
from telemetry_slice.ports.accounts import Account, Session, SessionKind
from telemetry_slice.ports.signing_in import OpenSignIn


@pytest.fixture
async def session(registry, clock):
    for user_id in ("u1", "u2"):
        await registry.accounts.add(Account(user_id, f"{user_id}@example.org", "", "", platform_admin=False), [])
    return Session(b"a", SessionKind.REFRESH, "family", "u1", "acme", clock.us, clock.us + 1000, used=False)


async def test_a_session_is_kept_whole(registry, session):
    browser = replace(session, token=b"b", kind=SessionKind.BROWSER, family="other", tenant_id=None)
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


async def test_a_session_is_switched(registry, session):
    await registry.sessions.add(session)
    await registry.sessions.switch(b"a", "beta")
    assert await registry.sessions.find(b"a") == replace(session, tenant_id="beta")


async def test_families_and_users_end(registry, session):
    sign_ins, now_us = registry.signing_in.sign_ins, session.created_us
    for token, family, user_id in ((b"a", "f", "u1"), (b"c", "g", "u1"), (b"d", "h", "u2")):
        await registry.sessions.add(replace(session, token=token, family=family, user_id=user_id))
    assert await registry.sessions.rotate(b"a", replace(session, token=b"b", family="f"))
    assert not await sign_ins.end("u2", "f")
    assert await sign_ins.is_open("u1", "f", now_us)
    assert await sign_ins.end("u1", "f")
    assert not await sign_ins.end("u1", "f")
    assert [await registry.sessions.find(t) is None for t in (b"a", b"b", b"c", b"d")] == [True, True, False, False]
    await registry.sessions.end_user("u1")
    assert [await registry.sessions.find(t) is None for t in (b"c", b"d")] == [True, False]
    assert [len(await sign_ins.of_user(user_id, now_us)) for user_id in ("u1", "u2")] == [0, 1]


async def test_a_person_sees_open_sign_ins_once_each(registry, session):
    sign_ins, now_us = registry.signing_in.sign_ins, session.created_us
    await registry.sessions.add(session, address="10.0.0.1", user_agent="curl")
    other = replace(session, token=b"b", kind=SessionKind.BROWSER, family="other", tenant_id=None)
    await registry.sessions.add(other)
    await registry.sessions.add(replace(session, token=b"c", family="short", expires_us=now_us + 1))
    await registry.sessions.add(replace(session, token=b"d", family="foreign", user_id="u2"))
    assert await registry.sessions.rotate(b"a", replace(session, token=b"a2", created_us=now_us + 5))
    used = {"used_us": now_us + 9, "expires_us": now_us + 5000}
    await sign_ins.touch("u1", "other", **used, address="::1", user_agent="Firefox")
    await sign_ins.touch("u2", "family", **used, address="10.6.6.6", user_agent="foreign")
    assert await sign_ins.of_user("u1", now_us + 1) == [
        OpenSignIn("other", "browser", None, now_us, now_us + 9, now_us + 5000, "::1", "Firefox"),
        OpenSignIn("family", "refresh", "acme", now_us, now_us, session.expires_us, "10.0.0.1", "curl"),
    ]
    assert (await registry.sessions.find(b"b")).expires_us == now_us + 5000
    for user_id, family, at_us, expected in (
        ("u1", "family", now_us, True),
        ("u2", "family", now_us, False),
        ("u1", "family", session.expires_us, False),
        ("u1", "unknown", now_us, False),
    ):
        assert await sign_ins.is_open(user_id, family, at_us) is expected


async def test_what_became_of_a_sign_in_is_forgotten_with_the_next(registry, session):
    await registry.sessions.add(session)
    later_us = session.expires_us + 1
    await registry.sessions.add(
        replace(session, token=b"b", family="next", created_us=later_us, expires_us=later_us + 1000)
    )
    counted = select(func.count()).select_from(sign_ins)
    assert await registry.database.read(lambda connection: connection.scalar(counted), user_id="u1") == 1


async def test_a_family_ends_while_it_is_being_rotated(registry, session, seed):
    """Whatever a rotation under way has just made ends, too."""
    chance = random.Random(seed)
    for number in range(12):
        family, token = f"family {number}", f"{number}-0".encode()
        await registry.sessions.add(replace(session, token=token, family=family))

        async def rotate(family=family, number=number, token=token):
            for step in range(1, 20):
                following = replace(session, token=f"{number}-{step}".encode(), family=family)
                if not await registry.sessions.rotate(token, following):
                    return
                token = following.token

        async def end(family=family):
            await asyncio.sleep(chance.random() / 50)
            await registry.signing_in.sign_ins.end("u1", family)

        await asyncio.gather(rotate(), end())
        assert not await registry.signing_in.sign_ins.is_open("u1", family, session.created_us)


async def test_expired_sessions_are_forgotten(registry, session):
    await registry.sessions.add(session)
    await registry.sessions.add(replace(session, token=b"b", family="b", expires_us=session.expires_us + 1))
    assert await registry.sessions.forget_expired(session.expires_us + 1) == 1
    assert await registry.sessions.forget_expired(session.expires_us + 1) == 0
    assert await registry.sessions.find(b"b") is not None
