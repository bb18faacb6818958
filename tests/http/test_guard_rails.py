"""What holds on every route alike, as docs/security.md promises it."""

import re
import time
from statistics import median
from types import SimpleNamespace

import pytest
import pytest_asyncio
from tests.http.conftest import ORIGIN
from tests.http.routes import PASSWORD, ROUTES
from tests.http.sides import filled

from telemetry_slice.flow.access.passwords import Passwords
from telemetry_slice.http.page import PAGE_POLICY

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_ONES_TO_SET = (
    "id", "no", "tenant", "tenantId", "tenantNo", "userId", "deviceNo", "keyId", "key", "mac", "createdAt", "deletedAt",
    "revokedAt", "lastUsedAt", "lastSeen", "platformAdmin", "platform_admin", "isAdmin", "suspended", "placement",
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rails(house):
    """A tenant with a device, a key and an administrator."""
    tenant = await house.tenant("rails")
    await tenant.console.made("/api/v1/devices", {"deviceId": "d"})
    key = await tenant.console.made("/api/v1/keys", {"kind": "gateway"})
    admin = {"email": "admin@rails.example", "role": "admin", "password": PASSWORD}
    user = await tenant.console.made("/api/v1/users", admin)
    grant = {"grantType": "password", "email": "admin@rails.example", "password": PASSWORD}
    token = (await house.nobody.post("/api/v1/auth/token", json=grant)).json()["accessToken"]
    ids = {"deviceId": "d", "keyId": key["keyId"], "userId": user["id"], "tenantId": "rails", "type": "t"}
    return SimpleNamespace(tenant=tenant, admin=house.key(token), ids=ids)


# -------------------------------------------------------------------------------------------------- mass assignment
async def test_a_field_that_is_not_ones_to_set_sets_nothing(house, rails):
    """API3: each new thing, and each change, with a field that the platform alone decides."""
    no = (await house.platform.services.tenants.get("rails")).no
    before = await house.platform.services.accounts.of_tenant(no)
    for route, body in (
        ("POST /api/v1/devices", {"deviceId": "assigned"}),
        ("PATCH /api/v1/devices/d", {"label": "assigned"}),
        ("POST /api/v1/devices/d/keys", {"name": "assigned"}),
        ("POST /api/v1/keys", {"kind": "gateway", "name": "assigned"}),
        ("POST /api/v1/users", {"email": "assigned@rails.example", "role": "viewer", "password": PASSWORD}),
        (f"PATCH /api/v1/users/{rails.ids['userId']}", {"role": "viewer"}),
        ("POST /api/v1/invitations", {"email": "assigned@rails.example", "role": "viewer"}),
    ):
        for name in NOT_ONES_TO_SET:
            answer = await rails.admin.call(*route.split(" "), json={**body, name: True})
            assert answer.status_code == 422, (route, name, answer.text)
            assert f"/{name}" in {error["pointer"] for error in answer.json()["errors"]}
    assert await house.platform.services.accounts.of_tenant(no) == before
    for path in ("devices", "devices/d/keys", "keys", "invitations"):
        assert "assigned" not in (await rails.tenant.service.get(f"/api/v1/{path}")).text


# ----------------------------------------------------------------------------------------------- bounds of requests
def unbounded(document):
    """Where the document lets a caller ask for as much as they like: numbers of things, and lists of them."""
    found = []

    def walk(schema, where, seen=()):
        if (ref := schema.get("$ref", "").rpartition("/")[2]) and ref not in seen:
            walk(document["components"]["schemas"][ref], f"{where} {ref}", (*seen, ref))
        for each in (each for kind in ("anyOf", "oneOf", "allOf") for each in schema.get(kind, ())):
            walk(each, where, seen)
        if schema.get("type") == "array":
            found.extend([where] if "maxItems" not in schema else [])
            walk(schema["items"], where, seen)
        for name, each in schema.get("properties", {}).items():
            walk(each, f"{where}.{name}", seen)

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                schema, where = parameter["schema"], f"{method} {path} {parameter['name']}"
                walk(schema, where)
                kinds = {schema.get("type"), *(each.get("type") for each in schema.get("anyOf", ()))}
                if "integer" in kinds and "maximum" not in str(schema):
                    found.append(where)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                walk(content.get("schema", {}), f"{method} {path}")
    return found


async def test_nobody_can_ask_for_as_much_as_they_like(house):
    """API4: every list has a greatest length, every number of rows, points and hours a greatest value."""
    document = (await house.nobody.get("/openapi.json")).json()
    assert unbounded(document) == []
    limit = next(p for p in document["paths"]["/api/v1/devices"]["get"]["parameters"] if p["name"] == "limit")
    del limit["schema"]["maximum"]
    assert unbounded(document) == ["get /api/v1/devices limit"]


# ------------------------------------------------------------------------------------------------ browsers and caches
async def test_no_answer_to_a_credential_is_kept(house, rails):
    """Whatever the status: nothing between here and the caller may keep what somebody was told."""
    seen = 0
    for route in ROUTES:
        method, path = route.split(" ", 1)
        if method == "GET" and path.startswith("/api/") and "letter_id" not in path:
            for door in (rails.admin, rails.tenant.service):
                answer = await door.get(filled(path, rails.ids))
                assert answer.headers["cache-control"] == "no-store", (route, answer.headers)
                seen += answer.status_code == 200
    assert seen > 30


async def test_no_policy_lets_a_browser_run_what_we_did_not_build(house):
    for path in ("/", "/devices/d", "/docs", "/api/v1/me", "/openapi.json", "/api/v1/nothing"):
        policy = (await house.nobody.get(path)).headers["content-security-policy"]
        directives = {each.split()[0]: each.split()[1:] for each in policy.split(";")}
        assert directives["default-src"] == ["'none'"], path
        assert directives["frame-ancestors"] == ["'none'"], path
        assert not re.search(r"unsafe-|\*|https?:|data:|blob:", policy), (path, policy)
    assert "script-src 'self';" in PAGE_POLICY
    assert "require-trusted-types-for 'script'" in PAGE_POLICY


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example"])
async def test_no_page_of_another_origin_may_read(house, rails, origin):
    for method in ("GET", "OPTIONS"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        answer = await rails.admin.call(method, "/api/v1/devices", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert method == "GET" or answer.status_code == 405


async def test_no_answer_takes_up_the_host_that_was_asked(house, rails):
    """The host of a request is the caller's to choose; forwarded ones are heard from a trusted proxy alone."""
    asked = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    for path in ("/", "/docs", "/openapi.json", "/api/v1/me", "/api/v1/devices", "/api/v1/nothing", "/api/v1/devices/"):
        answer = await rails.admin.get(path, headers=asked)
        assert "evil.example" not in answer.text + str(answer.headers), path
        assert not answer.is_redirect
        assert "strict-transport-security" not in answer.headers


async def test_methods_that_nobody_needs_are_refused(house, rails):
    for method in ("TRACE", "TRACK", "CONNECT", "PROPFIND"):
        for path in ("/api/v1/devices", "/api/v1/telemetry", "/"):
            answer = await rails.admin.call(method, path, headers={"X-Told": "back"})
            assert answer.status_code in {404, 405}, (method, path)
            assert "back" not in answer.text


# ------------------------------------------------------------------------------------------------------- signing in
def slower(passwords, kept):
    """How much longer it takes to look at a password for somebody (`kept`) than for nobody: of medians, in turns."""
    took = {who: [] for who in (kept, None)}
    for _ in range(15):
        for who, times in took.items():
            began = time.thread_time()
            passwords._verify(who, "wrong password")
            times.append(time.thread_time() - began)
    return median(took[kept]) / median(took[None])


async def test_signing_in_takes_as_long_for_nobody(monkeypatch):
    """CPU time of the thread that hashes: what an unknown e-mail would save is what a caller could measure."""
    passwords = Passwords()
    kept = await passwords.hash(PASSWORD)
    passwords._verify(None, "the first one makes nobody's password")
    assert 0.7 < slower(passwords, kept) < 1.4
    verify = Passwords._verify
    monkeypatch.setattr(Passwords, "_verify", lambda self, kept, password: kept and verify(self, kept, password))
    assert slower(passwords, kept) > 10
    passwords.close()
