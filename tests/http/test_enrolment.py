"""Devices that register themselves with a token of their tenant."""

import asyncio

import pytest

from telemetry_slice.model.times import DAY_US, rfc3339

TOKENS = "/api/v1/enrolment-tokens"
ENROL = "/api/v1/enrol"
NONCE = "a-random-text-of-the-device"


@pytest.fixture
async def made(door, as_):
    """Make a token; its answer."""
    admin = await as_("admin")

    async def make(tenant_headers=None, **body):
        answer = await door.post(TOKENS, json={"maxUses": 3, **body}, headers=tenant_headers or admin)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def enrol(door):
    async def call(token, device_id="pump-1", nonce=NONCE, **more):
        body = {"deviceId": device_id, "nonce": nonce, **more}
        return await door.post(ENROL, json=body, headers={"Authorization": f"Bearer {token}"})

    return call


async def test_a_device_registers_itself_and_sends_with_its_own_key(door, made, enrol, registry, acme, as_, clock):
    token = await made(name="batch", deviceIdPrefix="pump-", location="Hall", tags=["type:pump"], keyDays=30)
    assert token["token"].startswith("tse_")
    assert token["expiresAt"] == rfc3339(clock.us + 7 * DAY_US)
    answer = await enrol(token["token"], label="Pump 1")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    enrolled = answer.json()
    assert enrolled["expiresAt"] == rfc3339(clock.us + 30 * DAY_US)
    me = await door.get("/api/v1/me", headers={"X-API-Key": enrolled["key"]})
    assert (me.json()["kind"], me.json()["tenant"]["id"]) == ("device", acme.id)
    device = await registry.devices.get(acme.no, "pump-1")
    assert (device.label, device.location, device.tags) == ("Pump 1", "Hall", ("type:pump",))
    (listed,) = (await door.get(TOKENS, headers=await as_("admin"))).json()["tokens"]
    assert (listed["uses"], listed["maxUses"], listed["lastUsedAt"]) == (1, 3, rfc3339(clock.us))
    assert "token" not in listed


async def test_a_lost_answer_is_had_again_with_the_same_nonce_alone(made, enrol):
    token = (await made(maxUses=1))["token"]
    first = await enrol(token)
    assert (await enrol(token)).json() == first.json()
    # Whoever has the token without the nonce gets no key of a device that is there.
    assert (await enrol(token, nonce=NONCE + "x")).status_code == 409
    assert (await enrol(token, "pump-2")).status_code == 401


async def test_no_device_is_taken_over(made, enrol, registry, acme):
    await registry.devices.create(acme.no, "pump-1", label="mine", location="", tags=())
    refusal = await enrol((await made())["token"])
    assert (refusal.status_code, refusal.json()["detail"]) == (409, "There is, or was, a device with this id.")
    assert await registry.keys.list(acme.no, "pump-1") == []


async def test_a_second_token_does_not_take_over_what_the_first_has_made(made, enrol):
    await enrol((await made())["token"])
    assert (await enrol((await made())["token"])).status_code == 409


async def test_whatever_is_wrong_with_a_token_is_answered_alike(door, made, enrol, as_, clock, access, acme):
    good = await made()
    revoked = await made()
    headers = await as_("admin")
    assert (await door.delete(f"{TOKENS}/{revoked['tokenId']}", headers=headers)).status_code == 204
    assert (await door.delete(f"{TOKENS}/{revoked['tokenId']}", headers=headers)).status_code == 404
    expired = await made(expiresAt=rfc3339(clock.us + 1_000_000))
    used = await made(maxUses=1)
    await enrol(used["token"], "somebody")
    gateway = (await door.post("/api/v1/keys", json={"kind": "gateway"}, headers=headers)).json()["key"]
    clock.advance(2)
    wrong = good["token"][:-1] + ("x" if good["token"][-1] != "x" else "y")
    answers = [await enrol(token) for token in (revoked["token"], expired["token"], used["token"], gateway, wrong, "")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert (await enrol(good["token"])).status_code == 201


async def test_a_token_is_good_for_nothing_else(door, made):
    token = (await made())["token"]
    for path in ("/api/v1/me", "/api/v1/devices", TOKENS):
        assert (await door.get(path, headers={"X-API-Key": token})).status_code == 401


async def test_ids_begin_as_the_token_says(made, enrol):
    refusal = await enrol((await made(deviceIdPrefix="fan-"))["token"])
    assert (refusal.status_code, refusal.json()["errors"][0]["pointer"]) == (422, "/deviceId")


async def test_a_suspended_tenant_takes_nobody(made, enrol, registry, acme):
    token = (await made())["token"]
    await registry.tenants.suspend(acme.id, "unpaid")
    refusal = await enrol(token)
    assert (refusal.status_code, refusal.json()["detail"]) == (403, "The tenant is suspended: unpaid")


async def test_guessing_is_braked_and_a_fleet_is_not(made, enrol):
    token = (await made(maxUses=100))["token"]
    for number in range(40):
        assert (await enrol(token, f"pump-{number}")).status_code == 201
    statuses = [(await enrol("tse_x")).status_code for _ in range(40)]
    assert statuses.count(401) == 30
    assert set(statuses[30:]) == {429}


async def test_uses_are_counted_exactly(made, enrol):
    token = (await made(maxUses=5))["token"]
    answers = await asyncio.gather(*(enrol(token, f"pump-{number}") for number in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [401] * 7


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"nonce": "short"}, "/nonce"),
        ({"nonce": NONCE + " "}, "/nonce"),
        ({"nonce": NONCE, "deviceId": ""}, "/deviceId"),
        ({"nonce": NONCE, "deviceId": "x", "tags": []}, "/tags"),
    ],
)
async def test_bad_input_is_named(door, made, body, pointer):
    headers = {"X-API-Key": (await made())["token"]}
    answer = await door.post(ENROL, json={"deviceId": "x", **body}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_who_may(door, as_, made, beta):
    for who, status in [("owner", 201), ("admin", 201), ("operator", 403), ("viewer", 403), ("gateway", 403)]:
        assert (await door.post(TOKENS, json={}, headers=await as_(who))).status_code == status, who
    token = await made()
    theirs = await as_("owner", beta)
    assert (await door.get(TOKENS, headers=theirs)).json() == {"tokens": []}
    assert (await door.delete(f"{TOKENS}/{token['tokenId']}", headers=theirs)).status_code == 404


async def test_the_audit_knows_who_came_with_what(door, made, enrol, as_):
    token = await made(name="batch")
    enrolled = (await enrol(token["token"])).json()
    await enrol(token["token"], nonce=NONCE + "x")
    answer = await door.get("/api/v1/audit", headers=await as_("owner"))
    told = [(r["actor"], r["action"], r["target"], r["outcome"]) for r in answer.json()["records"]]
    actor = {"kind": "enrolment token", "id": token["tokenId"], "name": "batch"}
    assert told[:2] == [(actor, "enrol", "pump-1", "refused"), (actor, "enrol", "pump-1", "done")]
    assert (told[2][1], told[2][2]) == ("create", token["tokenId"])
    assert enrolled["key"] not in answer.text
    assert token["token"] not in answer.text
