"""The routes by which a tenant is erased; what becomes of its rows is tests/erasing's business."""

import pytest

from telemetry_slice.model.audit import INSTALLATION
from telemetry_slice.model.tenancy import KeyKind

ERASE, ERASURE = "/api/v1/tenants/acme-123/erase", "/api/v1/tenants/acme-123/erasure"
CONFIRMED = {"tenantId": "acme-123"}


@pytest.fixture
async def platform(as_):
    return await as_("platform")


async def test_a_tenant_is_erased_in_two_steps(door, platform, access, acme, beta, registry):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    _, theirs = await access.keys.issue(beta, KeyKind.GATEWAY)
    headers = {"X-API-Key": token}
    assert (await door.get(ERASURE, headers=platform)).status_code == 404
    assert (await door.post(ERASE, json=CONFIRMED, headers=platform)).status_code == 409
    await registry.tenants.suspend("acme-123", "they left")
    wrong = await door.post(ERASE, json={"tenantId": "acme-12"}, headers=platform)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/tenantId")
    assert (await door.get("/api/v1/me", headers=headers)).status_code == 200

    begun = await door.post(ERASE, json=CONFIRMED, headers=platform)
    assert begun.status_code == 202
    assert (begun.json()["finishedAt"], begun.json()["erased"]["keys"]) == (None, 1)
    assert (await door.get("/api/v1/me", headers=headers)).status_code == 401
    assert (await door.get("/api/v1/me", headers={"X-API-Key": theirs})).status_code == 200
    again = await door.post(ERASE, json=CONFIRMED, headers=platform)
    assert again.json() == begun.json() == (await door.get(ERASURE, headers=platform)).json()
    resumed = await door.post("/api/v1/tenants/acme-123/resume", headers=platform)
    assert (resumed.status_code, "being erased" in resumed.json()["detail"]) == (409, True)

    for chain in (INSTALLATION, acme.no):
        told = [record.entry for record in await registry.audit.page(chain, limit=5)]
        erased = next(entry for entry in told if entry.action == "erase")
        assert (erased.tenant_id, erased.target, erased.detail["state"]) == ("acme-123", "acme-123", "begun")


async def test_what_is_not_there_is_not_erased(door, platform):
    answer = await door.post("/api/v1/tenants/nobody/erase", json={"tenantId": "nobody"}, headers=platform)
    assert answer.status_code == 404


async def test_nobody_signs_up_by_themselves(door):
    """Without a credential nothing makes a tenant or an account but what an invitation or the set-up link opens."""
    paths = (await door.get("/openapi.json")).json()["paths"]
    makes = {
        path
        for path, verbs in paths.items()
        if "post" in verbs and not verbs["post"].get("security") and path.startswith("/api/v1/")
    }
    assert makes == {
        "/api/v1/auth/login",
        "/api/v1/auth/token",
        "/api/v1/auth/setup",
        "/api/v1/auth/invitation",
        "/api/v1/auth/invitation/accept",
        "/api/v1/auth/reset",
        "/api/v1/auth/reset/confirm",
        # Ends sessions, for a provider's signed word.
        "/api/v1/auth/oidc/{provider}/backchannel-logout",
        # Makes a device, for an enrolment token.
        "/api/v1/enrol",
    }
