"""A suspended tenant: nothing is taken from its senders, what is stored can be read."""

import asyncio

import pytest
import pytest_asyncio
from tests.http.conftest import PlacedHouse, called

from telemetry_slice.runtime.distributed import build_api

WAIT = {"Prefer": "wait=10"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def acme(house):
    tenant = await house.tenant("suspended")
    await tenant.console.made("/api/v1/devices", {"deviceId": "dev-1"})
    key = await tenant.console.made("/api/v1/devices/dev-1/keys", {})
    tenant.device = house.key(key["key"])
    return tenant


async def suspend(house, tenant, reason="The bill of May is not paid."):
    answer = await house.console().post(f"/api/v1/tenants/{tenant.id}/suspend", json={"reason": reason})
    assert (answer.status_code, answer.json()["suspended"]) == (200, reason)


async def resume(house, tenant):
    answer = await house.console().post(f"/api/v1/tenants/{tenant.id}/resume")
    assert (answer.status_code, answer.json()["suspended"]) == (200, None)


async def test_sending_ends_and_reading_stays(house, acme, event):
    other = await house.tenant("not-suspended")
    await acme.gateway.send(event(), **WAIT)
    await suspend(house, acme)
    for door in (acme.gateway, acme.device, acme.service):
        for version in (1, 2):
            answer = await door.send([event(), event()], version)
            assert answer.status_code == 403
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"] == "The tenant is suspended: The bill of May is not paid."
    for path in ("devices", "devices/dev-1/telemetry", "devices/dev-1/series?type=temperature", "dead-letters", "keys"):
        assert (await acme.service.get(f"/api/v1/{path}")).status_code == 200
    async with house.watch(acme.service.headers) as socket:
        assert socket.status == 101
    assert (await other.gateway.send(event())).status_code == 202
    await resume(house, acme)
    assert (await acme.gateway.send(event())).status_code == 202
    books = await house.settled_books(acme.service)
    # A request that is refused before it is read counts once.
    assert (books["stored"], books["rejected"], books["balanced"]) == (2, {"suspended": 6}, True)


async def test_it_is_told_to_both_audits(house, acme):
    await suspend(house, acme, "x")
    await resume(house, acme)
    for door, path in ((acme.service, "audit"), (house.console(), "installation/audit")):
        told = (await door.get(f"/api/v1/{path}", params={"resource": "tenants", "limit": 2})).json()["records"]
        assert [(r["action"], r["target"], r["detail"]) for r in told] == [
            ("resume", acme.id, {}),
            ("suspend", acme.id, {"reason": "x"}),
        ]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": "x" * 201}, {"reason": "a\x00"}])
async def test_a_reason_is_needed(house, acme, body):
    answer = await house.console().post(f"/api/v1/tenants/{acme.id}/suspend", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/reason")


async def test_an_unknown_tenant_is_not_found(house):
    console = house.console()
    assert (await console.post("/api/v1/tenants/nobody/suspend", json={"reason": "x"})).status_code == 404
    assert (await console.post("/api/v1/tenants/nobody/resume")).status_code == 404


@pytest.mark.parametrize("house", ["placed"], indirect=True)
async def test_every_process_hears_of_it(house, event):
    """Another API process, whose senders are in its cache, hears of it from the registry."""
    assert isinstance(house, PlacedHouse)
    tenant = await house.tenant("elsewhere")
    other = build_api(house.settings)
    await other.start()
    try:
        async with called(other.app) as client:

            async def status():
                answer = await client.post("/api/v1/telemetry", json=event(), headers=tenant.gateway.headers)
                return answer.status_code

            assert await status() == 202
            for change, wanted in ((suspend, 403), (resume, 202)):
                await change(house, tenant)
                async with asyncio.timeout(30):
                    while await status() != wanted:
                        await asyncio.sleep(0.05)
    finally:
        await other.stop()
