"""What a tenant sees and changes of itself, and the first owner of a new one."""

import pytest


async def test_a_tenant_sees_the_quotas_that_hold(door, as_):
    admin, platform = await as_("admin"), await as_("platform")
    seen = (await door.get("/api/v1/tenant", headers=admin)).json()
    assert (seen["id"], seen["name"], seen["autoRegister"]) == ("acme-123", "Acme Corporation", True)
    assert seen["quotas"] == {
        "keyPerSecond": 100,
        "tenantPerSecond": 1_000,
        "keyEventsPerSecond": 2_000,
        "tenantEventsPerSecond": 20_000,
    }
    assert (seen["ownQuotas"], seen["maxDeadLetters"], seen["retentionDays"]) == ([], 100_000, None)

    own = {"limits": {"tenantPerSecond": 5, "keyEventsPerSecond": 0}}
    assert (await door.patch("/api/v1/tenants/acme-123", json=own, headers=platform)).status_code == 200
    seen = (await door.get("/api/v1/tenant", headers=admin)).json()
    assert (seen["quotas"]["tenantPerSecond"], seen["quotas"]["keyEventsPerSecond"]) == (5, 0)
    assert seen["ownQuotas"] == ["tenantPerSecond", "keyEventsPerSecond"]


async def test_an_administrator_changes_name_and_registration_and_nothing_else(door, as_):
    admin = await as_("admin")
    changed = await door.patch("/api/v1/tenant", json={"name": "Acme", "autoRegister": False}, headers=admin)
    assert (changed.status_code, changed.json()["name"], changed.json()["autoRegister"]) == (200, "Acme", False)
    assert (await door.get("/api/v1/me", headers=admin)).json()["tenant"]["name"] == "Acme"
    assert (await door.get("/api/v1/tenant", headers=admin)).json() == changed.json()
    refused = await door.patch("/api/v1/tenant", json={"limits": {"tenantPerSecond": 0}}, headers=admin)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/limits")
    assert (await door.patch("/api/v1/tenant", json={"name": " "}, headers=admin)).status_code == 422
    records = (await door.get("/api/v1/audit", params={"resource": "settings"}, headers=admin)).json()["records"]
    assert [(record["action"], record["detail"]["fields"]) for record in records] == [("change", "auto_register, name")]


@pytest.mark.parametrize("who", ["viewer", "operator", "service read", "gateway"])
async def test_settings_are_for_administrators(door, as_, who):
    headers = await as_(who)
    for method in ("GET", "PATCH"):
        assert (await door.request(method, "/api/v1/tenant", json={}, headers=headers)).status_code == 403


async def test_the_platform_invites_the_first_owner(door, as_):
    platform = await as_("platform")
    new = {"tenantId": "gamma-7", "name": "Gamma"}
    assert (await door.post("/api/v1/tenants", json=new, headers=platform)).status_code == 201
    path = "/api/v1/tenants/gamma-7/invitations"
    made = await door.post(path, json={"email": "ann@example.org"}, headers=platform)
    assert (made.status_code, made.json()["role"]) == (201, "owner")
    token = made.json()["link"].partition("?token=")[2]
    own = {"Origin": "http://slice.example", "X-Requested-With": "tslice"}
    body = {"token": token, "name": "Ann", "password": "correct horse battery"}
    accepted = await door.post("/api/v1/auth/invitation/accept", json=body, headers=own)
    assert (accepted.json()["tenant"]["id"], accepted.json()["role"]) == ("gamma-7", "owner")
    assert (
        await door.post(path.replace("gamma-7", "none"), json={"email": "a@b"}, headers=platform)
    ).status_code == 404
    # An owner of one tenant makes none of another.
    assert (await door.post(path, json={"email": "a@b"}, headers=await as_("owner"))).status_code == 403
    records = (await door.get("/api/v1/installation/audit", headers=platform)).json()["records"]
    assert ("invite", "owners", "gamma-7") in {(each["action"], each["resource"], each["tenant"]) for each in records}
