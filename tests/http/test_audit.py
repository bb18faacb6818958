"""What the routes tell the audit, and how it is read."""

import csv
import io
import json
import re

import pytest
import pytest_asyncio
from tests.http.conftest import ORIGIN
from tests.http.routes import ROUTES
from tests.http.test_tenant_matrix import call, furnish, plain

from telemetry_slice.flow.audit import REFUSALS, Auditor, verify
from telemetry_slice.http.app import ROUTERS
from telemetry_slice.http.auditing import AuditedRoute
from telemetry_slice.http.principal import Allowed, AllowedInTenant
from telemetry_slice.model.audit import INSTALLATION, MAX_TEXT, Actor, ActorKind, AuditEntry, AuditOutcome
from telemetry_slice.model.errors import UnavailableError

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "correct horse battery"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def acme(house):
    return await furnish(house, "audited")


async def records(door, path="audit", **params):
    answer = await door.get(f"/api/v1/{path}", params={"limit": 1000, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["records"]


def asks(route):
    """The permission of a route, None for one without."""
    found = [
        dependency.call.permission
        for dependency in route.dependant.dependencies
        if isinstance(dependency.call, Allowed | AllowedInTenant)
    ]
    return found[0] if found else None


def changing():
    """'METHOD path' → permission of every route that changes something."""
    return {
        f"{method} {route.path}": asks(route)
        for router in ROUTERS
        for route in router.routes
        if hasattr(route, "methods") and asks(route) is not None and asks(route).is_audited
        for method in route.methods
    }


async def test_every_changing_route_is_of_the_kind_that_tells():
    for router in ROUTERS:
        for route in router.routes:
            if hasattr(route, "methods") and asks(route) is not None and asks(route).is_audited:
                assert isinstance(route, AuditedRoute), route.path
    assert len(changing()) > 20


async def test_every_change_is_told_once(house, acme):
    """Each changing route, called with success, leaves one record that says who, what and where from."""
    told, untold = changing(), []
    for route, line in ROUTES.items():
        permission = told.get(plain(route))
        if permission is None or line[1] >= 300:
            continue
        before = await records(acme.service)
        answer = await call(acme.doors["owner"], route, acme.ids, "owner")
        assert answer.status_code == line[1], (route, answer.text)
        after = await records(acme.service)
        new = after[: len(after) - len(before)]
        if permission == "end own session":
            assert new == []
            continue
        if [(r["action"], r["resource"], r["outcome"]) for r in new] != [
            (permission.action, permission.resource, "done")
        ]:
            untold.append((route, new))
            continue
        assert new[0]["actor"] == {
            "kind": "user",
            "id": new[0]["actor"]["id"],
            "name": f"owner@{acme.secret}.example",
        }
        assert (new[0]["address"], new[0]["tenant"]) == ("127.0.0.1", acme.ids["tenantId"])
        assert new[0]["target"] or permission.is_own or "replay" in route or "audit" in route, route
    assert untold == []


async def test_each_tenant_reads_its_own(house, acme):
    other = await furnish(house, "audited-too")
    for tenant in (acme, other):
        told = await records(tenant.service)
        assert told
        assert {record["tenant"] for record in told} == {tenant.ids["tenantId"]}


async def test_no_secret_is_in_the_audit(house, acme):
    tenant = await house.tenant("no-secrets")
    key = await tenant.console.made("/api/v1/keys", {"kind": "gateway", "name": "g"})
    rotated = await tenant.console.made(f"/api/v1/keys/{key['keyId']}/rotate", {})
    body = {"email": "s@no-secrets.example", "role": "viewer", "password": PASSWORD}
    await tenant.console.made("/api/v1/users", body)
    text = json.dumps(await records(tenant.service))
    assert key["keyId"] in text
    for secret in (key["key"], rotated["key"], PASSWORD, key["key"][15:40]):
        assert secret not in text


async def test_signing_in_is_told_where_one_acts(house):
    tenant = await house.tenant("doormen")
    body = {"email": "ann@doormen.example", "role": "admin", "password": PASSWORD}
    await tenant.console.made("/api/v1/users", body)
    login = {"email": "ann@doormen.example", "password": PASSWORD}
    agent = {"User-Agent": "evil\x7f" + "x" * 1000}
    answer = await house.nobody.post("/api/v1/auth/login", json=login, headers=agent)
    assert answer.status_code == 200
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0], "X-Requested-With": "tslice", "Origin": ORIGIN}
    house.client.cookies.clear()
    assert (await house.nobody.post("/api/v1/auth/login", json=login | {"password": "x"})).status_code == 401
    assert (await house.nobody.post("/api/v1/auth/logout", headers=cookie)).status_code == 204
    grant = {"grantType": "password", **login}
    pair = (await house.nobody.post("/api/v1/auth/token", json=grant)).json()
    again = {"grantType": "refresh", "refreshToken": pair["refreshToken"]}
    for status in (200, 401):
        assert (await house.nobody.post("/api/v1/auth/token", json=again)).status_code == status
    await house.platform.services.auditor.write_down()
    told = [(r["action"], r["resource"], r["outcome"], r["detail"]) for r in await records(tenant.service)]
    refusal = ("sign in", "account", "refused", {"by": "password"})
    # Written down beside the answer, and so perhaps after what came next.
    assert told.count(refusal) == 1
    assert [line for line in told if line[0] in {"sign in", "end", "reuse"} and line != refusal] == [
        ("reuse", "refresh token", "refused", {}),
        ("sign in", "account", "done", {"by": "password for tokens"}),
        ("end", "own session", "done", {}),
        ("sign in", "account", "done", {"by": "password"}),
    ]
    signed_in = (await records(tenant.service, action="sign in", outcome="done"))[-1]
    assert signed_in["agent"] == "evil\ufffd" + "x" * (MAX_TEXT - 5)
    # An unknown person is the installation's business, and nobody else's.
    await house.nobody.post("/api/v1/auth/login", json=login | {"email": "mallory@doormen.example"})
    await house.platform.services.auditor.write_down()
    mallory = await records(house.console(), "installation/audit", actor="mallory@doormen.example")
    assert [(r["action"], r["outcome"], r["tenant"]) for r in mallory] == [("sign in", "refused", None)]


async def test_refusals_are_told_and_do_not_fill_the_disk(house):
    tenant = await house.tenant("refusals")
    for _ in range(REFUSALS + 5):
        assert (await tenant.gateway.call("DELETE", "/api/v1/devices/d%2F1")).status_code == 403
    refused = await records(tenant.service, outcome="refused")
    assert len(refused) == REFUSALS
    assert {(r["action"], r["resource"], r["target"], r["actor"]["kind"]) for r in refused} == {
        ("delete", "devices", "d/1", "gateway key")
    }


async def test_what_is_done_to_a_tenant_is_told_to_it_and_to_the_installation(house):
    tenant = await house.tenant("two-places")
    changed = await house.console().call("PATCH", "/api/v1/tenants/two-places", json={"name": "Renamed"})
    assert changed.status_code == 200
    for door, path in ((house.console(), "installation/audit"), (tenant.service, "audit")):
        told = [r for r in await records(door, path, resource="tenants") if r["target"] == "two-places"]
        assert [(r["action"], r["detail"], r["tenant"]) for r in told] == [
            ("change", {"fields": "name"}, "two-places"),
            ("create", {"name": "Two-Places", "placement": "shared"}, "two-places"),
        ]


async def test_pages_filters_and_cursors(house):
    tenant = await house.tenant("pages")
    for n in range(7):
        await tenant.console.made("/api/v1/devices", {"deviceId": f"d{n}"})
    everything = await records(tenant.service)
    paged, cursor = [], None
    while True:
        params = {"limit": 2, "resource": "devices"} | ({"cursor": cursor} if cursor else {})
        page = (await tenant.service.get("/api/v1/audit", params=params)).json()
        paged += page["records"]
        cursor = page["next"]
        if cursor is None:
            break
        foreign = await house.console().get("/api/v1/installation/audit", params=params | {"cursor": cursor})
        assert foreign.status_code == 422
    assert paged == [record for record in everything if record["resource"] == "devices"]
    assert [record["target"] for record in paged] == [f"d{n}" for n in range(6, -1, -1)]
    middle = paged[3]["at"]
    assert len(await records(tenant.service, resource="devices", to=middle)) == 3
    assert len(await records(tenant.service, resource="devices", **{"from": middle})) == 4
    assert await records(tenant.service, actor="nobody") == []
    for wrong in ({"from": "x"}, {"outcome": "perhaps"}, {"cursor": "x"}, {"limit": 0}):
        assert (await tenant.service.get("/api/v1/audit", params=wrong)).status_code == 422


async def test_an_export_is_whole(house):
    tenant = await house.tenant("exports")
    await tenant.console.made("/api/v1/devices", {"deviceId": "=cmd()", "label": "x"})
    listed = (await records(tenant.service))[::-1]
    answer = await tenant.service.get("/api/v1/audit/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == listed
    answer = await tenant.service.get("/api/v1/audit/export", params={"format": "csv", "resource": "devices"})
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["target"], row["actorKind"], row["hash"]) == ("'=cmd()", "console", listed[-1]["hash"])
    assert (await tenant.service.get("/api/v1/audit/export", params={"format": "x"})).status_code == 422
    # Taking the audit away is told, too.
    assert [r["action"] for r in await records(tenant.service, resource="audit")] == ["export", "export"]


async def test_the_chains_hold(house, acme):
    audit = house.platform.services.audit
    chains = await audit.chains()
    assert chains[0] == INSTALLATION
    assert len(chains) > 3
    for chain in chains:
        check = await verify(audit, chain)
        assert (check.fault, check.sequence) == (None, (await audit.head(chain))[0])


class Away:
    """An audit that cannot be reached for a while."""

    def __init__(self, audit):
        self.audit, self.away = audit, True

    async def append(self, chain, entry):
        if self.away:
            raise UnavailableError("away")
        return await self.audit.append(chain, entry)


async def test_what_cannot_be_written_waits_for_the_registry(house):
    audit = Away(house.platform.services.audit)
    auditor = Auditor(audit)
    tenant = await house.tenant("away")
    no = (await house.platform.services.tenants.get(tenant.id)).no
    who = Actor(ActorKind.CONSOLE, "console", "")
    for n in range(3):
        await auditor.tell(no, AuditEntry(n, who, "wait", "x", str(n), None, None, None, AuditOutcome.DONE, {}))
    assert await records(tenant.service, action="wait") == []
    await auditor.write_down()
    audit.away = False
    await auditor.write_down()
    assert [record["target"] for record in await records(tenant.service, action="wait")] == ["2", "1", "0"]
    assert re.fullmatch("[0-9a-f]{64}", (await records(tenant.service))[0]["hash"])
