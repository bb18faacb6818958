"""Keys over HTTP."""

import pytest

from telemetry_slice.model.times import rfc3339


@pytest.fixture
async def owner(as_):
    return await as_("owner")


@pytest.fixture
async def device(registry, acme):
    return await registry.devices.create(acme.no, "dev-1", label="", location="", tags=())


KEYS = "/api/v1/devices/dev-1/keys"


async def test_a_device_key_is_shown_once(door, owner, device, access, clock):
    issued = (await door.post(KEYS, json={"name": "first"}, headers=owner)).json()
    token = issued.pop("key")
    assert issued == {
        "keyId": token[4:14],
        "kind": "device",
        "name": "first",
        "scopes": ["ingest"],
        "addresses": [],
        "createdAt": rfc3339(clock.us),
        "expiresAt": None,
        "lastUsedAt": None,
        "lastUsedFrom": None,
        "expiresSoon": False,
        "replacedBy": None,
        "revokedAt": None,
    }
    assert (await door.get(KEYS, headers=owner)).json() == {"keys": [issued]}
    assert (await access.key(token)).device_id == "dev-1"


async def test_a_device_has_two_live_keys(door, owner, device):
    first = (await door.post(KEYS, headers=owner)).json()
    assert (await door.post(KEYS, json={}, headers=owner)).status_code == 201
    assert (await door.post(KEYS, headers=owner)).status_code == 409
    assert (await door.delete(f"{KEYS}/{first['keyId']}", headers=owner)).status_code == 204
    assert (await door.delete(f"{KEYS}/{first['keyId']}", headers=owner)).status_code == 204
    assert (await door.post(KEYS, headers=owner)).status_code == 201


async def test_rotation(door, owner, device, clock):
    old = (await door.post(KEYS, json={"name": "n"}, headers=owner)).json()
    answer = await door.post(f"{KEYS}/{old['keyId']}/rotate", json={"overlapSeconds": 60}, headers=owner)
    assert (answer.status_code, answer.json()["name"]) == (201, "n")
    assert (await door.get("/api/v1/me", headers={"X-API-Key": old["key"]})).status_code == 200
    clock.advance(61)
    assert (await door.get("/api/v1/me", headers={"X-API-Key": old["key"]})).status_code == 401
    assert (await door.get("/api/v1/me", headers={"X-API-Key": answer.json()["key"]})).status_code == 200
    again = await door.post(f"{KEYS}/{old['keyId']}/rotate", headers=owner)
    assert (again.status_code, again.json()["detail"]) == (409, "This key has ended; it cannot be rotated.")


async def test_a_revoked_key_ends_at_once(door, owner, as_):
    issued = (await door.post("/api/v1/keys", json={"kind": "gateway"}, headers=owner)).json()
    me = {"Authorization": f"Bearer {issued['key']}"}
    assert (await door.get("/api/v1/me", headers=me)).status_code == 200
    assert (await door.delete(f"/api/v1/keys/{issued['keyId']}", headers=owner)).status_code == 204
    assert (await door.get("/api/v1/me", headers=me)).status_code == 401


async def test_service_keys_carry_scopes_expiry_and_addresses(door, owner, clock):
    body = {
        "kind": "service",
        "name": "reader",
        "scopes": ["read"],
        "expiresAt": rfc3339(clock.us + 60_000_000),
        "addresses": ["192.0.2.7/24"],
    }
    issued = (await door.post("/api/v1/keys", json=body, headers=owner)).json()
    assert issued["addresses"] == ["192.0.2.0/24"]
    assert issued["expiresAt"] == body["expiresAt"]
    assert (await door.get("/api/v1/me", headers={"X-API-Key": issued["key"]})).status_code == 401
    body["addresses"] = ["127.0.0.1"]
    issued = (await door.post("/api/v1/keys", json=body, headers=owner)).json()
    assert (await door.get("/api/v1/me", headers={"X-API-Key": issued["key"]})).status_code == 200
    clock.advance(61)
    assert (await door.get("/api/v1/me", headers={"X-API-Key": issued["key"]})).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "service"}, "/scopes"),
        ({"kind": "service", "scopes": ["write"]}, "/scopes/0"),
        ({"kind": "gateway", "scopes": ["read"]}, "/scopes"),
        ({"kind": "device", "scopes": []}, "/kind"),
        ({"kind": "gateway", "expiresAt": "2020-01-01T00:00:00Z"}, "/expiresAt"),
        ({"kind": "gateway", "expiresAt": "tomorrow"}, "/expiresAt"),
        ({"kind": "gateway", "expiresAt": "9" * 400}, "/expiresAt"),
        ({"kind": "gateway", "addresses": ["ok", "x"]}, "/addresses/0"),
        ({"kind": "gateway", "addresses": ["0.0.0.0/0"] * 33}, "/addresses"),
        ({"kind": "gateway", "name": "x" * 201}, "/name"),
    ],
)
async def test_the_field_at_fault_is_named(door, owner, body, pointer):
    answer = await door.post("/api/v1/keys", json=body, headers=owner)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_a_service_key_grants_no_more_than_it_has(door, as_, owner):
    headers = await as_("service admin")
    answer = await door.post("/api/v1/keys", json={"kind": "service", "scopes": ["read"]}, headers=headers)
    assert answer.status_code == 403
    answer = await door.post("/api/v1/keys", json={"kind": "service", "scopes": ["admin"]}, headers=headers)
    assert answer.status_code == 201
    body = {"kind": "service", "scopes": ["read", "admin"]}
    broader = (await door.post("/api/v1/keys", json=body, headers=owner)).json()
    answer = await door.post(f"/api/v1/keys/{broader['keyId']}/rotate", headers=headers)
    assert answer.status_code == 403


async def test_another_tenants_keys_are_not_there(door, as_, owner, beta, device, registry):
    issued = (await door.post("/api/v1/keys", json={"kind": "gateway"}, headers=owner)).json()
    mine = (await door.post(KEYS, headers=owner)).json()
    theirs = await as_("owner", beta)
    await registry.devices.create(beta.no, "dev-1", label="", location="", tags=())
    for method, path in (
        ("DELETE", f"/api/v1/keys/{issued['keyId']}"),
        ("POST", f"/api/v1/keys/{issued['keyId']}/rotate"),
        ("DELETE", f"{KEYS}/{mine['keyId']}"),
        ("POST", f"{KEYS}/{mine['keyId']}/rotate"),
        ("DELETE", f"{KEYS}/{issued['keyId']}"),
    ):
        assert (await door.request(method, path, headers=theirs)).status_code == 404
    assert (await door.get("/api/v1/keys", headers=theirs)).json() == {"keys": []}
    assert (await door.delete(f"/api/v1/keys/{mine['keyId']}", headers=owner)).status_code == 404


async def test_the_list_says_when_and_from_where_a_key_was_used(door, owner, device, access, clock):
    issued = (await door.post(KEYS, headers=owner)).json()
    await door.get("/api/v1/me", headers={"X-API-Key": issued["key"]})
    await access.tidy()
    (listed,) = (await door.get(KEYS, headers=owner)).json()["keys"]
    assert (listed["lastUsedAt"], listed["lastUsedFrom"]) == (rfc3339(clock.us), "127.0.0.1")


async def test_rotation_with_a_deadline(door, owner, device, clock):
    old = (await door.post(KEYS, headers=owner)).json()
    path, end = f"{KEYS}/{old['keyId']}/rotate", rfc3339(clock.us + 60_000_000)
    new = await door.post(path, json={"oldEndsAt": end, "expiresAt": rfc3339(clock.us + 90_000_000)}, headers=owner)
    assert (new.status_code, new.json()["expiresAt"]) == (201, rfc3339(clock.us + 90_000_000))
    listed = {key["keyId"]: key for key in (await door.get(KEYS, headers=owner)).json()["keys"]}
    assert (listed[old["keyId"]]["expiresAt"], listed[old["keyId"]]["replacedBy"]) == (end, new.json()["keyId"])
    # What is replaced may end: only the next one is worth a warning.
    assert [listed[key]["expiresSoon"] for key in (old["keyId"], new.json()["keyId"])] == [False, True]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"oldEndsAt": "yesterday"}, "/oldEndsAt"),
        ({"oldEndsAt": "2020-01-01T00:00:00Z"}, "/oldEndsAt"),
        ({"oldEndsAt": "2100-01-01T00:00:00Z"}, "/oldEndsAt"),
        ({"oldEndsAt": "2100-01-01T00:00:00Z", "overlapSeconds": 1}, "/oldEndsAt"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "/expiresAt"),
    ],
)
async def test_impossible_deadlines_are_refused(door, owner, device, body, pointer):
    old = (await door.post(KEYS, headers=owner)).json()
    refusal = await door.post(f"{KEYS}/{old['keyId']}/rotate", json=body, headers=owner)
    assert (refusal.status_code, refusal.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_the_list_says_which_keys_end_soon(door, owner, clock):
    day = 86_400_000_000
    for name, days in (("soon", 14), ("later", 15)):
        body = {"kind": "gateway", "name": name, "expiresAt": rfc3339(clock.us + days * day)}
        await door.post("/api/v1/keys", json=body, headers=owner)
    listed = (await door.get("/api/v1/keys", headers=owner)).json()["keys"]
    assert {key["name"]: key["expiresSoon"] for key in listed} == {"soon": True, "later": False}
