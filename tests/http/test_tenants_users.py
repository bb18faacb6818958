"""Tenants and users over HTTP."""

import pytest

from telemetry_slice.model.tenancy import Role

PASSWORD = "another long password"


async def test_tenants(door, as_):
    platform = await as_("platform")
    body = {"tenantId": "gamma-7", "name": "Gamma", "autoRegister": False, "limits": {"tenantPerSecond": 5}}
    answer = await door.post("/api/v1/tenants", json=body, headers=platform)
    assert answer.status_code == 201
    shown = answer.json()
    assert shown["limits"] == {
        "keyPerSecond": None,
        "tenantPerSecond": 5,
        "keyEventsPerSecond": None,
        "tenantEventsPerSecond": None,
    }
    assert (shown["id"], shown["autoRegister"]) == ("gamma-7", False)
    assert (shown["placement"], shown["database"]) == ("shared", None)
    assert (await door.post("/api/v1/tenants", json=body, headers=platform)).status_code == 409
    listed = (await door.get("/api/v1/tenants", headers=platform)).json()["tenants"]
    assert [tenant["id"] for tenant in listed] == ["acme-123", "beta-456", "gamma-7"]
    assert listed[0]["limits"] is None
    changed = (await door.patch("/api/v1/tenants/gamma-7", json={"name": "G", "limits": {}}, headers=platform)).json()
    assert (changed["name"], changed["limits"], changed["autoRegister"]) == ("G", None, False)
    assert (await door.get("/api/v1/tenants/gamma-7", headers=platform)).json() == changed
    for method in ("GET", "PATCH"):
        answer = await door.request(method, "/api/v1/tenants/nobody", json={}, headers=platform)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"tenantId": "Acme", "name": "x"}, "/tenantId"),
        ({"tenantId": "-a", "name": "x"}, "/tenantId"),
        ({"tenantId": "a/b", "name": "x"}, "/tenantId"),
        ({"tenantId": "a\n", "name": "x"}, "/tenantId"),
        ({"tenantId": "a" * 64, "name": "x"}, "/tenantId"),
        ({"tenantId": "a", "name": ""}, "/name"),
        ({"tenantId": "a", "name": "x", "limits": {"keyPerSecond": -1}}, "/limits/keyPerSecond"),
        ({"tenantId": "a", "name": "x", "limits": {"keyPerSecond": 1.5}}, "/limits/keyPerSecond"),
        ({"tenantId": "a", "name": "x", "placement": "elsewhere"}, "/placement"),
        # An installation on SQLite has no other.
        ({"tenantId": "a", "name": "x", "placement": "schema"}, "/placement"),
        ({"tenantId": "a", "name": "x", "placement": "database", "database": "one"}, "/placement"),
        ({"tenantId": "a", "name": "x", "database": "one"}, "/placement"),
    ],
)
async def test_the_field_at_fault_is_named(door, as_, body, pointer):
    answer = await door.post("/api/v1/tenants", json=body, headers=await as_("console"))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_changed_tenant_reaches_its_members(door, as_):
    owner, platform = await as_("owner"), await as_("platform")
    assert (await door.get("/api/v1/me", headers=owner)).json()["tenant"]["name"] == "Acme Corporation"
    await door.patch("/api/v1/tenants/acme-123", json={"name": "New"}, headers=platform)
    assert (await door.get("/api/v1/me", headers=owner)).json()["tenant"]["name"] == "New"


async def test_users(door, as_):
    owner = await as_("owner")
    body = {"email": "Bob@example.org", "name": "Bob", "role": "viewer", "password": PASSWORD}
    answer = await door.post("/api/v1/users", json=body, headers=owner)
    bob = answer.json()
    assert (answer.status_code, bob["email"], bob["role"], "password" in bob) == (
        201,
        "Bob@example.org",
        "viewer",
        False,
    )
    listed = (await door.get("/api/v1/users", headers=owner)).json()["users"]
    assert [user["email"] for user in listed] == ["Bob@example.org", "owner-acme-123@example.org"]
    path = f"/api/v1/users/{bob['id']}"
    assert (await door.patch(path, json={"role": "admin"}, headers=owner)).json() == {**bob, "role": "admin"}
    login = {"email": "bob@example.org", "password": PASSWORD}
    assert (await door.post("/api/v1/auth/login", json=login)).json()["role"] == "admin"
    assert (await door.delete(path, headers=owner)).status_code == 204
    assert (await door.delete(path, headers=owner)).status_code == 404
    assert (await door.get("/api/v1/users")).status_code == 403


async def test_the_last_owner_stays(door, as_, registry):
    owner = await as_("owner")
    [me] = (await door.get("/api/v1/users", headers=owner)).json()["users"]
    assert (await door.delete(f"/api/v1/users/{me['id']}", headers=owner)).status_code == 409
    assert (await door.patch(f"/api/v1/users/{me['id']}", json={"role": "viewer"}, headers=owner)).status_code == 409


@pytest.mark.parametrize("who", ["admin", "service admin"])
async def test_only_owners_make_and_unmake_owners(door, as_, who):
    await as_("owner")
    headers = await as_(who)
    body = {"email": "new@example.org", "role": "owner", "password": PASSWORD}
    assert (await door.post("/api/v1/users", json=body, headers=headers)).status_code == 403
    people = (await door.get("/api/v1/users", headers=headers)).json()["users"]
    owner = next(user["id"] for user in people if user["role"] == "owner")
    assert (await door.patch(f"/api/v1/users/{owner}", json={"role": "viewer"}, headers=headers)).status_code == 403
    assert (await door.delete(f"/api/v1/users/{owner}", headers=headers)).status_code == 403
    body["role"] = "admin"
    made = (await door.post("/api/v1/users", json=body, headers=headers)).json()
    assert (await door.patch(f"/api/v1/users/{made['id']}", json={"role": "owner"}, headers=headers)).status_code == 403


async def test_an_existing_account_joins_by_the_console_alone(door, as_, access, acme, beta):
    theirs = await access.people.add("eve@example.org", "Eve", PASSWORD, [(beta.no, Role.VIEWER)])
    owner, console = await as_("owner"), await as_("console")
    body = {"email": "eve@example.org", "role": "viewer"}
    refused = await door.post("/api/v1/users", json=body, headers=owner)
    unknown = await door.post("/api/v1/users", json={**body, "email": "nobody@example.org"}, headers=owner)
    assert (refused.status_code, refused.json()) == (422, unknown.json())
    joined = await door.post("/api/v1/users", json=body, headers=console)
    assert (joined.status_code, joined.json()["id"]) == (201, theirs.user_id)
    assert (await door.post("/api/v1/users", json=body, headers=console)).status_code == 409
    assert (await door.post("/api/v1/users", json={**body, "password": PASSWORD}, headers=console)).status_code == 409


async def test_users_of_another_tenant_are_not_there(door, as_, access, beta):
    theirs = await access.people.add("eve@example.org", "Eve", PASSWORD, [(beta.no, Role.VIEWER)])
    owner = await as_("owner")
    assert (
        await door.patch(f"/api/v1/users/{theirs.user_id}", json={"role": "admin"}, headers=owner)
    ).status_code == 404
    assert (await door.delete(f"/api/v1/users/{theirs.user_id}", headers=owner)).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "no address", "role": "viewer", "password": PASSWORD}, "/email"),
        ({"email": "a@b" + "x" * 300, "role": "viewer", "password": PASSWORD}, "/email"),
        ({"email": "a@b.example", "role": "king", "password": PASSWORD}, "/role"),
        ({"email": "a@b.example", "role": "viewer", "password": "short"}, "/password"),
        ({"email": "a@b.example", "role": "viewer", "password": "x" * 300}, "/password"),
    ],
)
async def test_a_users_field_at_fault_is_named(door, as_, body, pointer):
    answer = await door.post("/api/v1/users", json=body, headers=await as_("owner"))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
