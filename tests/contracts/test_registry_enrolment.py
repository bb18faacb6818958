import asyncio
from dataclasses import replace

import pytest

from telemetry_slice.model.tenancy import KeyKind
from telemetry_slice.ports.credentials import Enrolled, EnrolmentToken
from telemetry_slice.ports.provisioning import REPEATABLE_US, WantedDevice


@pytest.fixture
def tokens(registry):
    return registry.credentials.enrolment


@pytest.fixture
async def token(tokens, acme, clock):
    made = EnrolmentToken(
        token_id="token",
        tenant=acme,
        digest=bytes(range(32)),
        name="batch 7",
        prefix="pump-",
        location="Hall",
        tags=("type:pump", "two words"),
        key_life_us=None,
        max_uses=5,
        uses=0,
        created_us=clock.us,
        expires_us=clock.us + 60_000_000,
        revoked_us=None,
        last_used_us=None,
    )
    await tokens.add(made)
    return made


def device(number, **more):
    given = {
        "label": "Pump",
        "location": "Hall",
        "tags": ("a", "b"),
        "mac": bytes(32),
        "pepper": "p",
        "key_id": f"key {number}",
    }
    return WantedDevice(device_id=f"pump-{number}", **{**given, **more})


async def test_a_token_is_kept_whole_and_its_tenants(tokens, token, beta):
    assert await tokens.find("token") == token
    assert await tokens.find("unknown") is None
    assert await tokens.list(token.tenant.no) == [token]
    assert await tokens.list(beta.no) == []
    bare = replace(token, token_id="bare", tags=(), created_us=token.created_us + 1)
    await tokens.add(bare)
    assert await tokens.list(token.tenant.no) == [bare, token]


async def test_a_device_gets_itself_a_key(registry, tokens, token, acme, clock):
    assert await tokens.enrol(token, device(1), clock.us + 9) == Enrolled.CREATED
    made = await registry.devices.get(acme.no, "pump-1")
    assert (made.label, made.location, made.tags) == ("Pump", "Hall", ("a", "b"))
    (key,) = await registry.keys.list(acme.no, "pump-1")
    assert (key.key_id, key.kind, key.mac, key.expires_us) == ("key 1", KeyKind.DEVICE, bytes(32), clock.us + 9)
    found = await tokens.find("token")
    assert (found.uses, found.last_used_us) == (1, clock.us)


async def test_a_lost_answer_is_had_again_and_counts_once(registry, tokens, token, acme, clock):
    token = replace(token, token_id="once", max_uses=1, expires_us=clock.us + 2 * REPEATABLE_US)
    await tokens.add(token)
    await tokens.enrol(token, device(1), None)
    assert await tokens.enrol(token, device(1), None) == Enrolled.REPEATED
    assert await tokens.enrol(token, device(2), None) == Enrolled.OVER
    for other in (device(1, key_id="other"), device(1, mac=bytes(31) + b"x")):
        assert await tokens.enrol(token, other, None) == Enrolled.TAKEN
    assert (await tokens.find("once")).uses == 1
    clock.advance(REPEATABLE_US // 1_000_000)
    assert await tokens.enrol(token, device(1), None) == Enrolled.TAKEN


async def test_a_device_that_is_or_was_there_is_not_taken_over(registry, tokens, token, acme):
    for number in (1, 2):
        await registry.devices.create(acme.no, f"pump-{number}", label="mine", location="", tags=())
    await registry.devices.delete(acme.no, "pump-2")
    for number in (1, 2):
        assert await tokens.enrol(token, device(number), None) == Enrolled.TAKEN
    assert (await registry.devices.get(acme.no, "pump-1")).label == "mine"
    assert await registry.keys.list(acme.no, "pump-1") == []
    assert (await tokens.find("token")).uses == 0


async def test_a_revoked_key_is_not_given_again(registry, tokens, token, acme):
    await tokens.enrol(token, device(1), None)
    await registry.keys.revoke(acme.no, "key 1")
    assert await tokens.enrol(token, device(1), None) == Enrolled.TAKEN


async def test_revoked_and_expired_tokens_are_over(tokens, token, beta, clock):
    await tokens.enrol(token, device(1), None)
    assert not await tokens.revoke(beta.no, "token")
    await tokens.add(replace(token, token_id="other"))
    assert await tokens.revoke(token.tenant.no, "token")
    assert not await tokens.revoke(token.tenant.no, "token")
    # Nor is what it gave once told again.
    assert await tokens.enrol(token, device(1), None) == Enrolled.OVER
    other = replace(token, token_id="other")
    assert await tokens.enrol(other, device(2), None) == Enrolled.CREATED
    clock.advance(60)
    assert await tokens.enrol(other, device(3), None) == Enrolled.OVER


async def test_uses_are_counted_exactly_however_many_come_at_once(registry, tokens, token, acme):
    results = await asyncio.gather(*(tokens.enrol(token, device(number), None) for number in range(20)))
    assert (results.count(Enrolled.CREATED), results.count(Enrolled.OVER)) == (5, 15)
    assert (await tokens.find("token")).uses == 5
    made = await registry.devices.resolve(acme.no, [f"pump-{number}" for number in range(20)])
    assert len(made) == 5


async def test_one_device_that_comes_often_at_once_is_one(registry, tokens, token, acme):
    results = await asyncio.gather(*(tokens.enrol(token, device(1), None) for _ in range(10)))
    assert (results.count(Enrolled.CREATED), results.count(Enrolled.REPEATED)) == (1, 9)
    assert len(await registry.keys.list(acme.no, "pump-1")) == 1
