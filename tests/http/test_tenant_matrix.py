"""Every route of the OpenAPI document × every credential: each tenant's data is its own.

A route without a line in ROUTES fails the test: whoever adds one says here who may call it.
"""

import asyncio
from itertools import product
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import pytest_asyncio
from tests.http.conftest import Door
from tests.http.routes import CHOICE, DOCUMENT, PANEL, PASSWORD, PEM, ROUTES, V1, WAIT
from tests.http.sides import IN_ALL_TENANTS
from tests.http.walls import EVERYWHERE

from telemetry_slice.engines.sql.letters import LetterReads
from telemetry_slice.http.app import ROUTERS
from telemetry_slice.model.tenancy import Role, Scope

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = {"both walls", "filters alone"}
"""The embedded platform has filters alone too, and what either wall holds both hold together."""


def pytest_generate_tests(metafunc):
    """On the embedded platform, and on distributed ones: tenants in every placement, either wall between them down."""
    if "house" in metafunc.fixturenames:
        kinds = [pytest.param(kind, marks=pytest.mark.long if kind in LONG else ()) for kind in EVERYWHERE]
        metafunc.parametrize("house", kinds, indirect=True, scope="module")


PAGE_AND_DOCUMENTS = ["/", "/devices/some-device", "/docs", "/openapi.json"]
"""Public besides the public lines above, and not in the document."""
MAY = {
    "public": {"nobody", "malformed", "revoked", "device", "gateway", "service", "owner", "link"},
    "anyone": {"device", "gateway", "service", "owner"},
    "ingest": {"device", "gateway", "service"},
    "person": {"owner"},
    "session": set(),
    "read": {"service", "owner"},
    "operate": {"service", "owner"},
    "shared": {"link"},
    "administer": {"service", "owner"},
    "platform": set(),
}
# The audit says what its own tenant's callers were refused, in the callers' own words.
TELL_WHAT_ONE_ASKED = {"GET /api/v1/audit", "GET /api/v1/audit/export"}
CALLERS = ("nobody", "malformed", "revoked", "device", "gateway", "service", "owner", "link")
UNKNOWN = {"nobody", "malformed", "revoked"}


# -------------------------------------------------------------------------------------------------- two tenants
async def furnish(house, name):
    """A tenant with one of everything; whatever it owns says `{name}-secret`."""
    secret = f"{name}-secret"
    tenant = await house.tenant(f"{name}-secret-tenant")
    console = tenant.console
    device = f"{secret}-device/1"
    await console.made("/api/v1/devices", {"deviceId": device, "label": secret, "location": secret, "tags": [secret]})
    device_key = await console.made(f"/api/v1/devices/{quote(device, safe='')}/keys", {"name": secret})
    # The second tenant is refused it.
    await console.post(f"/api/v1/devices/{quote(device, safe='')}/certificates", json={"certificate": PEM})
    key = await console.made("/api/v1/keys", {"kind": "gateway", "name": secret})
    revoked = await console.made(
        "/api/v1/keys", {"kind": "service", "name": "old", "scopes": ["read", "ingest", "admin"]}
    )
    assert (await console.call("DELETE", f"/api/v1/keys/{revoked['keyId']}")).status_code == 204
    people = {}
    for role in ("owner", "viewer"):
        body = {"email": f"{role}@{secret}.example", "name": secret, "role": role, "password": PASSWORD}
        people[role] = await console.made("/api/v1/users", body)
    invitation = await console.made("/api/v1/invitations", {"email": f"{secret}@example.org", "role": "viewer"})
    token_of_devices = await console.made("/api/v1/enrolment-tokens", {"name": secret, "tags": [secret]})
    panel = PANEL | {"of": {"deviceIds": [device]}, "title": secret}
    document = DOCUMENT | {"panels": [panel], "variables": [CHOICE | {"choices": [device]}]}
    dashboard = await console.made("/api/v1/dashboards", {"name": secret, "document": document})
    links = [
        await console.made(f"/api/v1/dashboards/{dashboard['id']}/links", {"name": secret, "days": days})
        for days in (1, 2)
    ]
    grant = {"grantType": "password", "email": f"owner@{secret}.example", "password": PASSWORD}
    token, _ = [(await house.nobody.post("/api/v1/auth/token", json=grant)).json()["accessToken"] for _ in range(2)]
    sessions = (await house.key(token).get("/api/v1/me/sessions")).json()["sessions"]
    events = [
        {"eventId": f"{secret}-{n}", "deviceId": device, "recordedAt": at, "type": secret, "value": n, "unit": secret}
        for n, at in enumerate([0, 0, house.platform.services.clock.now_us() // 1000])
    ]
    sent = await tenant.gateway.send(events, **WAIT)
    assert [result["outcome"] for result in sent.json()["results"]] == ["dead", "dead", "stored"]
    discarded, letter = (await tenant.service.get("/api/v1/dead-letters")).json()["deadLetters"]
    doors = {
        "nobody": house.nobody,
        "malformed": house.key(key["key"][:-1] + ("x" if key["key"][-1] != "x" else "y")),
        "revoked": house.key(revoked["key"]),
        "device": house.key(device_key["key"]),
        "gateway": tenant.gateway,
        "service": tenant.service,
        "owner": house.key(token),
        "link": house.key(links[0]["token"]),
    }
    ids = {
        "deviceId": device,
        "deviceKeyId": device_key["keyId"],
        "keyId": key["keyId"],
        "letter_id": str(letter["id"]),
        "discarded_id": str(discarded["id"]),
        "userId": people["viewer"]["id"],
        "invitationId": invitation["id"],
        "tokenId": token_of_devices["tokenId"],
        "tenantId": tenant.id,
        "dashboardId": dashboard["id"],
        "linkId": links[1]["linkId"],
        "sessionId": next(session["id"] for session in sessions if not session["current"]),
        "type": secret,
    }
    return SimpleNamespace(secret=secret, ids=ids, doors=doors, service=tenant.service)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def acme(house):
    return await furnish(house, "acme")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def beta(house):
    return await furnish(house, "beta")


async def belongings(tenant):
    """What a tenant can see of itself, as text."""
    device = quote(tenant.ids["deviceId"], safe="")
    seen = []
    for path in (
        "devices", f"devices/{device}/telemetry", f"devices/{device}/keys", "keys", "users", "invitations",
        "enrolment-tokens", "dashboards", f"dashboards/{tenant.ids['dashboardId']}/links",
        "dead-letters", "books",
    ):  # fmt: skip
        body = (await tenant.service.get(f"/api/v1/{path}")).json()
        for link in body.get("links", []):
            del link["lastUsedAt"]
        for key in body.get("keys", []):
            # Written down by and by.
            del key["lastUsedAt"], key["lastUsedFrom"]
        seen.append(body)
    return seen


def filled(template, ids):
    """A path with ids, percent-encoded."""
    for name, value in ids.items():
        template = template.replace("{" + name + "}", quote(value, safe=""))
    return template


def filled_body(body, ids):
    if isinstance(body, str):
        for name, value in ids.items():
            body = body.replace("{" + name + "}", value)
        return body
    if isinstance(body, dict):
        return {name: filled_body(value, ids) for name, value in body.items()}
    return [filled_body(value, ids) for value in body] if isinstance(body, list) else body


async def call(door, route, ids, who="somebody"):
    method, path = route.split(" ", 1)
    body = ROUTES[route][2]
    more = {} if body is None else {"json": filled_body(body, ids | {"who": who})}
    return await door.call(method, filled(path, ids), **more)


# ---------------------------------------------------------------------------------------------------- the lines
def plain(route):
    """A line's route as the document has it."""
    path = route.partition("?")[0]
    path = path.replace("/versions/1", "/versions/{version}")
    return path.replace("{deviceKeyId}", "{keyId}").replace("{discarded_id}", "{letter_id}")


async def test_every_route_of_the_document_has_its_line(house):
    document = (await house.nobody.get("/openapi.json")).json()
    routes = {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations}
    assert routes == {plain(route) for route in ROUTES}
    for route in ROUTES:
        method, path = plain(route).split(" ")
        operation = document["paths"][path][method.lower()]
        assert bool(operation.get("security")) == (ROUTES[route][0] != "public"), route


async def test_no_route_is_missing_in_the_document(house):
    paths = (await house.nobody.get("/openapi.json")).json()["paths"]
    known = {*paths, *PAGE_AND_DOCUMENTS, "/api/v1/live"}
    assert {route.path for router in ROUTERS for route in router.routes} <= known


async def test_the_public_list_is_that_of_the_contract():
    public = {plain(route).split(" ")[1] for route, line in ROUTES.items() if line[0] == "public"}
    signing_in = ("login", "token", "setup", "methods", "invitation", "invitation/accept", "reset", "reset/confirm")
    assert public == {
        "/health", "/health/ready", "/.well-known/jwks.json", "/metrics", "/api/v1/enrol",
        *(f"/api/v1/auth/{route}" for route in signing_in),
        *(f"/api/v1/auth/oidc/{{provider}}/{route}" for route in ("start", "callback", "backchannel-logout")),
    }  # fmt: skip


async def test_the_page_and_the_documents_are_public(house):
    for path in PAGE_AND_DOCUMENTS:
        assert (await house.nobody.get(path)).status_code in {200, 503}, path
    for path in ("/api/", "/api/v1/secrets", "/api/v3/telemetry", "/.env", "/assets/../data/secrets.json"):
        assert (await house.nobody.get(path)).status_code in {401, 404}, path


# --------------------------------------------------------------------------------------------------- the matrix
def expected(route, who):
    """The status for one's own things, None where `who` is let in."""
    act = ROUTES[route][0]
    if who in MAY[act]:
        return None
    return 401 if who in UNKNOWN else 403


@pytest.mark.parametrize("who", CALLERS)
async def test_who_is_let_in(house, who):
    """With one's own ids, in the order of the lines: reading before changing before deleting."""
    tenant = await furnish(house, f"own-{who}")
    wrong = []
    for route in ROUTES:
        answer = await call(tenant.doors[who], route, tenant.ids, who)
        status = expected(route, who) or ROUTES[route][1]
        if answer.status_code != status:
            wrong.append((route, answer.status_code, answer.text[:200]))
        if answer.status_code == 401:
            assert answer.headers.get("www-authenticate") == "Bearer", route
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", route
    assert wrong == []


async def crossings(caller, owner, before, callers=CALLERS):
    """The violations found when every credential of `caller` asks for what is `owner`'s.

    In each position of each path stands the owner's id once, the caller's own in the others. Routes without ids are
    asked too where asking changes nothing.
    """
    found, cells = [], 0
    for route in ROUTES:
        method, path = route.split(" ", 1)
        positions = [name for name in owner.ids if "{" + name + "}" in path.partition("?")[0]]
        for who, foreign in product(callers, positions or ([None] if method == "GET" else [])):
            if who in IN_ALL_TENANTS and ROUTES[route][0] == "platform":
                continue
            cells += 1
            ids = caller.ids if foreign is None else caller.ids | {foreign: owner.ids[foreign]}
            answer = await call(caller.doors[who], route, ids, who)
            if foreign is not None and answer.status_code not in {401, 403, 404}:
                found.append((route, who, foreign, answer.status_code))
            if owner.secret in answer.text and route not in TELL_WHAT_ONE_ASKED:
                found.append((route, who, foreign, "tells"))
    if await belongings(owner) != before:
        found.append("the belongings changed")
    print(f"{cells} cells of the matrix, {len(found)} violations")
    return found


async def test_no_credential_reaches_another_tenant(acme, beta):
    before = await belongings(beta), await belongings(acme)
    assert await crossings(acme, beta, before[0]) == []
    assert await crossings(beta, acme, before[1]) == []


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def everybody(house, acme):
    """Acme with a door for every role, scope and kind of principal that is not among `CALLERS`."""
    access, console = house.platform.services.access, house.console(acme.ids["tenantId"])
    tenant = await house.platform.services.tenants.get(acme.ids["tenantId"])
    doors = {"console": console}
    for scope in Scope:
        key = await console.made("/api/v1/keys", {"kind": "service", "name": "one scope", "scopes": [scope]})
        doors[f"service {scope}"] = house.key(key["key"])
    signer, now_s = await access.signers.current(), house.platform.services.clock.now_us() // 1_000_000
    for who in (*Role, "nowhere", "platform", "platform viewer"):
        roles = [(tenant.no, role) for role in Role if role in who.split()]
        email = f"{who.replace(' ', '-')}@everybody.example"
        account = await access.people.add(email, who, PASSWORD, roles, platform_admin="platform" in who)
        chosen = tenant.id if roles else None
        doors[who] = house.key(signer.sign(account.user_id, now_s, tenant_id=chosen))
        if who == Role.OWNER:
            cookie = (await access.people.sign_in(account.user_id, None, None)).token
            own = {"X-Requested-With": "tslice", "Origin": str(house.client.base_url).rstrip("/")}
            doors["owner in a browser"] = Door(house.client, Cookie=f"tslice_session={cookie}", **own)
    return SimpleNamespace(ids=acme.ids, doors=doors)


async def test_no_role_scope_or_session_reaches_another_tenant(everybody, beta):
    assert len(everybody.doors) == 12
    assert await crossings(everybody, beta, await belongings(beta), everybody.doors) == []


async def test_every_role_scope_and_session_watches_its_own_devices_alone(house, everybody, beta):
    may = {"console", "service read", "viewer", "operator", "admin", "owner", "owner in a browser", "platform viewer"}

    async def opens(who, query, status):
        async with house.watch(everybody.doors[who].headers, query) as socket:
            assert socket.status == (status if who in may else 403), (who, query)

    foreign = f"device={quote(beta.ids['deviceId'], safe='')}"
    await asyncio.gather(*(opens(who, *each) for who in everybody.doors for each in (("", 101), (foreign, 404))))


async def test_a_reader_that_forgets_the_tenant_is_caught(house, acme, beta, monkeypatch):
    """The negative control: with a wall taken out, the matrix sees it."""
    before = await belongings(beta)
    devices, tenants = type(house.platform.services.devices), await house.platform.services.tenants.list()
    get, letter = devices.get, LetterReads.get

    async def of_anybody(self, _tenant, device_id):
        for each in tenants:
            device = await get(self, each.no, device_id)
            if device is not None:
                return device
        return None

    async def letter_of_anybody(self, _tenant, letter_id):
        for each in tenants:
            found = await letter(self, each.no, letter_id)
            if found is not None:
                return found
        return None

    with monkeypatch.context() as patched:
        patched.setattr(devices, "get", of_anybody)
        found = await crossings(acme, beta, before)
        assert ("GET /api/v1/devices/{deviceId}", "service", "deviceId", 200) in found
        assert ("GET /api/v1/devices/{deviceId}/keys", "owner", "deviceId", 200) in found
    with monkeypatch.context() as patched:
        patched.setattr(LetterReads, "get", letter_of_anybody)
        found = await crossings(acme, beta, before)
        assert ("GET /api/v1/dead-letters/{letter_id}", "service", "letter_id", "tells") in found
        # Behind it stands the second wall: a change asks for the tenant again.
        assert "the belongings changed" not in found


# --------------------------------------------------------------------------- ids in other places than the path
async def test_ids_in_bodies_and_queries_reach_no_further(acme, beta):
    before = await belongings(beta)
    foreign = beta.ids["deviceId"]
    for who in ("service", "owner"):
        door = acme.doors[who]
        for body in (
            {"select": "latest", "devices": [foreign]},
            {"select": "latest", "devices": [acme.ids["deviceId"], foreign]},
            {"select": "series", "devices": [foreign], "types": [beta.secret]},
        ):
            answer = await door.post("/api/v1/query", json=body)
            assert answer.status_code == 404
            assert beta.secret not in answer.text
        answer = await door.post("/api/v1/dead-letters/replay", json={"ids": [int(beta.ids["letter_id"])]})
        assert answer.json() == {"replayed": {"stored": 0, "duplicate": 0, "dead": 0}}
        assert (await door.get("/api/v1/devices", params={"q": beta.secret})).json()["devices"] == []
        assert (await door.get("/api/v1/devices", params={"tag": beta.secret})).json()["devices"] == []
        answer = await door.post("/api/v1/auth/tenant", json={"tenantId": beta.ids["tenantId"]})
        assert answer.status_code == 403
    # A device of the same name in one's own tenant is another device; ids and letters are one's own too.
    event = V1 | {"deviceId": foreign, "eventId": f"{beta.secret}-2"}
    answer = await acme.doors["gateway"].send(event, **WAIT)
    assert [result["outcome"] for result in answer.json()["results"]] == ["stored"]
    answer = await acme.doors["gateway"].send(event | {"eventId": "other", "customerId": beta.ids["tenantId"]})
    assert answer.status_code == 403
    letter = acme.ids["letter_id"]
    body = {"body": V1 | {"deviceId": beta.ids["deviceKeyId"], "customerId": beta.ids["tenantId"]}}
    answer = await acme.service.call("PATCH", f"/api/v1/dead-letters/{letter}", json=body)
    assert answer.status_code == 422
    assert await belongings(beta) == before
    device = quote(foreign, safe="")
    assert (await acme.service.call("DELETE", f"/api/v1/devices/{device}")).status_code == 204
    assert await belongings(beta) == before


async def test_a_cursor_of_another_tenant_is_refused(house):
    doors = []
    for name in ("first", "second"):
        tenant = await house.tenant(f"cursor-{name}")
        events = [V1 | {"deviceId": f"d{n}", "eventId": f"{n}", "recordedAt": 0} for n in range(3)]
        assert (await tenant.gateway.send(events, **WAIT)).status_code == 200
        now_ms = house.platform.services.clock.now_us() // 1000
        events = [V1 | {"deviceId": "d0", "eventId": f"now {n}", "recordedAt": now_ms - n} for n in range(3)]
        assert (await tenant.gateway.send(events, **WAIT)).status_code == 200
        doors.append(tenant.service)
    for path in (
        "/api/v1/devices",
        "/api/v1/dead-letters",
        "/api/v1/devices/d0/telemetry",
        "/api/v2/devices/d0/telemetry",
    ):
        cursors = [(await door.get(path, params={"limit": 1})).json()["next"] for door in doors]
        assert all(cursors), path
        for door, own, foreign in zip(doors, cursors, reversed(cursors), strict=True):
            assert (await door.get(path, params={"limit": 1, "cursor": own})).status_code == 200
            for wrong in (foreign, own[:-2], own[::-1], "x", "é", ""):
                answer = await door.get(path, params={"limit": 1, "cursor": wrong})
                assert answer.status_code == 422 or (wrong == "" and answer.status_code == 200), (path, wrong)


# --------------------------------------------------------------------------------------------------- WebSockets
@pytest.mark.parametrize("who", CALLERS)
async def test_who_may_watch(house, acme, who):
    wanted = 101 if who in MAY["read"] else 401 if who in UNKNOWN else 403
    async with house.watch(acme.doors[who].headers) as socket:
        assert socket.status == wanted


async def test_a_foreign_device_cannot_be_watched(house, acme, beta):
    for tenant, status in ((acme, 101), (beta, 404)):
        query = f"device={quote(tenant.ids['deviceId'], safe='')}"
        async with house.watch(acme.service.headers, query) as socket:
            assert socket.status == status


async def test_each_watches_its_own(house, acme, beta):
    async with (
        house.watch(acme.service.headers) as watches_acme,
        house.watch(beta.service.headers) as watches_beta,
    ):
        await asyncio.gather(watches_acme.frame("hello"), watches_beta.frame("hello"))
        # Beta's is stored first: whoever heard both would hear it first.
        for tenant in (beta, acme):
            # Another process may find out with the first one that somebody listens.
            for name in ("first", "watched"):
                event = V1 | {"deviceId": tenant.ids["deviceId"], "eventId": f"{name} {tenant.secret}"}
                assert (await tenant.doors["gateway"].send(event, **WAIT)).status_code == 200
        for socket, tenant in ((watches_acme, acme), (watches_beta, beta)):
            seen = set()
            while f"watched {tenant.secret}" not in seen:
                seen |= {event["eventId"] for event in (await socket.frame("events"))["events"]}
            assert seen <= {f"first {tenant.secret}", f"watched {tenant.secret}"}
