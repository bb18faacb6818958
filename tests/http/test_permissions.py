"""Every cell of the table of permissions over HTTP: every kind of principal × every route.

What is expected is read from docs/reference/permissions.md, which tests/test_docs.py compares with the code: a
change of the table is seen here until somebody has let the page say so.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from telemetry_slice.model import permissions
from telemetry_slice.model.permissions import GRANTS, Party, Permission, parties
from telemetry_slice.model.tenancy import (
    Console,
    DashboardLink,
    DeviceKey,
    Duty,
    GatewayKey,
    Role,
    Scope,
    ServiceKey,
    SystemJob,
    User,
)
from telemetry_slice.ports.accounts import SessionKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
PASSWORD = "correct horse battery"
CSRF = {"X-Requested-With": "tslice", "Origin": "http://slice.example"}
CALLERS = {
    "device": {Party.DEVICE},
    "gateway": {Party.GATEWAY},
    "service ingest": {Party.SERVICE_INGEST},
    "service read": {Party.SERVICE_READ},
    "service admin": {Party.SERVICE_ADMIN},
    "service read ingest admin": {Party.SERVICE_READ, Party.SERVICE_INGEST, Party.SERVICE_ADMIN},
    "nowhere": {Party.USER},
    "viewer": {Party.USER, Party.VIEWER},
    "operator": {Party.USER, Party.OPERATOR},
    "admin": {Party.USER, Party.ADMIN},
    "owner": {Party.USER, Party.OWNER},
    "platform": {Party.USER, Party.PLATFORM},
    "platform viewer": {Party.USER, Party.PLATFORM, Party.VIEWER},
    "console": {Party.CONSOLE},
    "link": {Party.LINK},
}
ACT_IN_NO_TENANT = {"nowhere", "platform"}


@dataclass(frozen=True)
class Page:
    """The table as it is promised: who may call a route, and the routes that need no credential."""

    may: dict[str, set[Party]]
    public: set[str]


def page():
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ")
    ]
    head, _, *lines = rows
    columns = [Party(name) for name in head[2:-1]]
    may = {}
    for _resource, _action, *cells, asked in lines:
        for route in re.findall(r"`([^`]+)`", asked):
            may[route] = {party for party, cell in zip(columns, cells, strict=True) if cell == "✓"}
    return Page(may, set(re.findall(r"^- `([^`]+)`$", PAGE.read_text(), re.MULTILINE)))


PROMISED = page()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def people(house):
    """A tenant with the user ids of one person for each kind of user."""
    tenant = await house.tenant("permits")
    add = house.platform.services.access.people.add
    no = (await house.platform.services.tenants.get(tenant.id)).no
    ids = {}
    for who, kinds in CALLERS.items():
        if Party.USER in kinds:
            roles = [(no, role) for role in Role if role in who.split()]
            account = await add(f"{who}@permits.example", who, PASSWORD, roles, platform_admin="platform" in who)
            ids[who] = account.user_id
    await tenant.console.made("/api/v1/devices", {"deviceId": "d"})
    return tenant, ids


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def as_(house, people):
    """The headers of a caller; people come with a new session each time, since one of the routes ends it."""
    tenant, ids = people
    keys = {}
    for who in CALLERS:
        if who == "device":
            keys[who] = await tenant.console.made("/api/v1/devices/d/keys", {})
        elif who == "gateway":
            keys[who] = await tenant.console.made("/api/v1/keys", {"kind": "gateway"})
        elif who.startswith("service"):
            keys[who] = await tenant.console.made("/api/v1/keys", {"kind": "service", "scopes": who.split()[1:]})
        elif who == "link":
            body = {"name": "x", "document": {"schema": 1}}
            dashboard = await tenant.console.made("/api/v1/dashboards", body)
            made = await tenant.console.made(f"/api/v1/dashboards/{dashboard['id']}/links", {})
            keys[who] = {"key": made["token"]}

    async def headers(who, route=""):
        if who == "console":
            return tenant.console.headers
        if who in keys:
            return {"X-API-Key": keys[who]["key"]}
        people = house.platform.services.access.people
        if PROMISED.may.get(route) == GRANTS[Permission.SEND_TELEMETRY]:
            # The road of events knows no cookies.
            now_s = house.platform.services.clock.now_us() // 1_000_000
            signer = await people._signers.current()
            return {"Authorization": f"Bearer {signer.sign(ids[who], now_s, tenant_id=tenant.id)}"}
        profile = await people._first_profile(ids[who])
        token, _ = await people._new_session(SessionKind.BROWSER, profile, None, None)
        return CSRF | {"Cookie": f"tslice_session={token}"}

    return headers


def of_a_tenant(route):
    """Whether a route is about the tenant acted in."""
    return not re.search(r"/api/v1/(me|status|auth|tenants|installation)\b", route)


async def violations(house, as_, who):
    """Where a caller is treated otherwise than the page promises. Without a body: only what is allowed looks at it."""
    found = []
    for route, may in PROMISED.may.items():
        method, path = route.split(" ")
        headers = await as_(who, route)
        path = re.sub(r"{\w+}", "1", path)
        if method == "WebSocket":
            async with house.watch(headers) as socket:
                status, told = socket.status, ""
        else:
            answer = await house.client.request(method, path, headers=headers)
            status, told = answer.status_code, answer.text
        allowed = bool(may & CALLERS[who]) and not (who in ACT_IN_NO_TENANT and of_a_tenant(route))
        as_promised = status not in {401, 403} and status < 500 if allowed else status == 403
        if not as_promised:
            found.append((route, who, status, told))
    return found


@pytest.mark.parametrize("who", CALLERS)
async def test_every_cell_is_as_promised(house, as_, who):
    assert await violations(house, as_, who) == []


@pytest.mark.parametrize(
    ("permission", "party", "who", "route"),
    [
        (Permission.READ_TELEMETRY, Party.SERVICE_ADMIN, "service admin", "WebSocket /api/v1/live"),
        (Permission.SEND_TELEMETRY, Party.SERVICE_READ, "service read", "POST /api/v1/telemetry"),
        (Permission.DELETE_DEVICES, Party.VIEWER, "viewer", "DELETE /api/v1/devices/{deviceId}"),
        (Permission.READ_TENANTS, Party.OWNER, "owner", "GET /api/v1/tenants"),
        (Permission.READ_KEYS, Party.ADMIN, "admin", "GET /api/v1/keys"),
    ],
)
async def test_a_changed_cell_is_seen(house, as_, monkeypatch, permission, party, who, route):
    """The negative control: one cell of the code's table is turned over."""
    changed = {**GRANTS, permission: GRANTS[permission] ^ {party}}
    monkeypatch.setattr(permissions, "GRANTS", changed)
    found = {violation[0] for violation in await violations(house, as_, who)}
    assert route in found


async def test_every_route_is_on_the_page(house):
    document = (await house.nobody.get("/openapi.json")).json()
    documented = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert documented | {"WebSocket /api/v1/live"} == {*PROMISED.may, *PROMISED.public}
    assert len(PROMISED.may) > 40


async def test_nobody_is_told_to_bring_a_credential(house):
    for route in PROMISED.may:
        method, path = route.split(" ")
        if method != "WebSocket":
            answer = await house.client.request(method, path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), route


async def test_what_is_public_treats_all_alike(house, as_):
    for route in PROMISED.public:
        method, path = route.split(" ")
        statuses = {(await house.client.request(method, path, headers=await as_(who))).status_code for who in CALLERS}
        assert len(statuses) == 1, (route, statuses)


async def test_a_handler_asks_for_no_more_than_the_table(house, as_):
    """Owners and accounts: what a route asks besides, by what is in its body."""
    for who in ("admin", "owner", "service admin", "console", "platform viewer"):
        is_allowed_in = bool(CALLERS[who] & GRANTS[Permission.ADD_USERS])
        body = {"email": f"owner-by-{who.replace(' ', '-')}@permits.example", "role": "owner", "password": PASSWORD}
        answer = await house.client.post("/api/v1/users", json=body, headers=await as_(who))
        makes = is_allowed_in and bool(CALLERS[who] & GRANTS[Permission.MAKE_OWNERS])
        assert answer.status_code == (201 if makes else 403), (who, answer.text)
        body = {"email": "nowhere@permits.example", "role": "viewer"}
        answer = await house.client.post("/api/v1/users", json=body, headers=await as_(who))
        joins = is_allowed_in and bool(CALLERS[who] & GRANTS[Permission.JOIN_ACCOUNTS])
        # Whoever may not is told to give a password: whether the account exists is not theirs to know.
        assert answer.status_code == (201 if joins else 422 if is_allowed_in else 403), (who, answer.text)


async def test_every_principal_is_some_party(people):
    tenant = object()
    everybody = set()
    for principal in (
        DeviceKey(tenant, "k", 1, "d"),
        GatewayKey(tenant, "k"),
        ServiceKey(tenant, "k", frozenset(Scope)),
        Console(None),
        DashboardLink(tenant, "l", "n", "d", 0),
        *(User("u", "e", "n", tenant, role, platform_admin=True) for role in Role),
    ):
        assert parties(principal)
        everybody |= parties(principal)
    assert everybody == set(Party)
    # The installation's own duties go by no route.
    assert parties(SystemJob(Duty.RETENTION)) == set()
    assert {permission for permission, granted in GRANTS.items() if granted} == set(Permission)
    with pytest.raises(AssertionError, match="Expected code to be unreachable"):
        parties(None)


async def test_a_platform_administrator_sees_tenants_and_figures_never_telemetry(house, as_):
    headers = await as_("platform")
    assert (await house.client.get("/api/v1/tenants", headers=headers)).status_code == 200
    assert (await house.client.get("/api/v1/status", headers=headers)).status_code == 200
    for route in PROMISED.may:
        if re.search(r"telemetry|query|series|insights|devices|dead-letters|live|books|/v1/audit", route):
            assert Party.PLATFORM not in PROMISED.may[route], route
