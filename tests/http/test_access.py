"""Who may do what; cookies and forged requests; signing in over HTTP."""

import pytest
from starlette.websockets import WebSocket

from telemetry_slice.http.principal import socket_reader
from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import Role

PASSWORD = "correct horse battery"
ORIGIN = "http://slice.example"
CSRF = {"X-Requested-With": "tslice", "Origin": ORIGIN}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": ""},
        {"X-API-Key": "tsk_0123456789_" + "x" * 38},
        {"Cookie": "tslice_session=nonsense"},
        {"Cookie": "tslice_session=" + "x" * 3000},
    ],
)
async def test_every_refusal_is_the_same_document(door, headers):
    nobody = await door.get("/api/v1/me")
    answer = await door.get("/api/v1/me", headers=headers)
    assert (answer.status_code, answer.json()) == (401, nobody.json())
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_header_is_not_mended_by_a_cookie(door, ann):
    await sign_in(door)
    assert (await door.get("/api/v1/me")).status_code == 200
    assert (await door.get("/api/v1/me", headers={"X-API-Key": "nonsense"})).status_code == 401


@pytest.fixture
async def ann(access, acme, beta):
    return await access.people.add("ann@example.org", "Ann", PASSWORD, [(acme.no, Role.OWNER), (beta.no, Role.VIEWER)])


async def sign_in(door, **more):
    body = {"email": "ann@example.org", "password": PASSWORD}
    answer = await door.post("/api/v1/auth/login", json=body, **more)
    assert answer.status_code == 200, answer.text
    return answer


async def test_signing_in_and_out(door, ann):
    answer = await sign_in(door)
    me = {
        "kind": "user",
        "user": {"id": ann.user_id, "email": "ann@example.org", "name": "Ann"},
        "tenant": {"id": "acme-123", "name": "Acme Corporation"},
        "role": "owner",
        "platformAdmin": False,
        "tenants": [
            {"id": "acme-123", "name": "Acme Corporation", "role": "owner"},
            {"id": "beta-456", "name": "Beta Industries", "role": "viewer"},
        ],
    }
    assert answer.json() == me
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert (await door.get("/api/v1/me")).json() == me
    assert (await door.post("/api/v1/auth/logout", headers=CSRF)).status_code == 204
    assert "tslice_session" not in door.cookies
    assert (await door.get("/api/v1/me")).status_code == 401


async def test_the_cookie_is_secure_on_https(door, ann):
    answer = await door.post(
        "https://slice.example/api/v1/auth/login", json={"email": "ann@example.org", "password": PASSWORD}
    )
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"]


async def test_using_a_session_renews_its_cookie(door, ann, clock):
    await sign_in(door)
    clock.advance(3600 * 24)
    assert "max-age=604800" in (await door.get("/api/v1/me")).headers["set-cookie"].lower()


async def test_choosing_a_tenant(door, ann):
    await sign_in(door)
    answer = await door.post("/api/v1/auth/tenant", json={"tenantId": "beta-456"}, headers=CSRF)
    assert (answer.json()["tenant"]["id"], answer.json()["role"]) == ("beta-456", "viewer")
    assert (await door.post("/api/v1/devices", json={"deviceId": "x"}, headers=CSRF)).status_code == 403
    answer = await door.post("/api/v1/auth/tenant", json={"tenantId": "gamma"}, headers=CSRF)
    assert answer.status_code == 403


async def test_a_foreign_page_cannot_sign_anybody_in(door, ann):
    answer = await door.post(
        "/api/v1/auth/login",
        json={"email": "ann@example.org", "password": PASSWORD},
        headers={"Origin": "http://evil.example"},
    )
    assert answer.status_code == 403


async def test_guessing_is_braked(door, ann):
    wrong = {"email": "ann@example.org", "password": "wrong horse battery"}
    answers = [await door.post("/api/v1/auth/login", json=wrong) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["policy"] == "sign-in"


async def test_tokens(door, ann):
    body = {"grantType": "password", "email": "ann@example.org", "password": PASSWORD, "tenantId": "beta-456"}
    pair = (await door.post("/api/v1/auth/token", json=body)).json()
    assert pair["expiresIn"] == 900
    headers = {"Authorization": f"Bearer {pair['accessToken']}"}
    assert (await door.get("/api/v1/me", headers=headers)).json()["tenant"]["id"] == "beta-456"
    refresh = {"grantType": "refresh", "refreshToken": pair["refreshToken"]}
    assert (await door.post("/api/v1/auth/token", json=refresh)).status_code == 200
    assert (await door.post("/api/v1/auth/token", json=refresh)).status_code == 401
    answer = await door.post("/api/v1/auth/token", json={"grantType": "magic"})
    assert answer.status_code == 422


async def test_changing_the_password(door, ann):
    await sign_in(door)
    body = {"currentPassword": PASSWORD, "newPassword": "another long password"}
    assert (await door.post("/api/v1/auth/password", json=body, headers=CSRF)).status_code == 204
    assert (await door.get("/api/v1/me")).status_code == 401


async def test_the_set_up_link(door, access):
    token = await access.people.offer_setup()
    body = {
        "token": token,
        "email": "root@example.org",
        "password": PASSWORD,
        "tenantId": "first",
        "tenantName": "First",
    }
    refused = await door.post("/api/v1/auth/setup", json={**body, "password": "short"})
    assert refused.json()["errors"][0]["pointer"] == "/password"
    answer = await door.post("/api/v1/auth/setup", json=body)
    assert (answer.status_code, answer.json()["platformAdmin"], answer.json()["role"]) == (200, True, "owner")
    assert (await door.get("/api/v1/tenants")).json()["tenants"][0]["id"] == "first"
    assert (await door.post("/api/v1/auth/setup", json=body)).status_code == 401


async def test_what_a_key_is_told_about_itself(door, as_):
    for who, kind in (
        ("device", "device"),
        ("gateway", "gateway"),
        ("service read", "service"),
        ("console", "console"),
    ):
        me = (await door.get("/api/v1/me", headers=await as_(who))).json()
        assert (me["kind"], me["tenant"]["id"], me["user"], me["role"]) == (kind, "acme-123", None, None)


async def test_the_public_key_is_public(door):
    answer = await door.get("/.well-known/jwks.json")
    assert [set(key) for key in answer.json()["keys"]] == [{"kty", "crv", "x", "kid", "use", "alg"}]


# ------------------------------------------------------------------------------------------------ WebSockets
async def open_socket(app, headers):
    """What the live route's dependency makes of a handshake."""
    raw = [(name.lower().encode(), value.encode()) for name, value in {"Host": "slice.example", **headers}.items()]
    scope = {"type": "websocket", "path": "/", "headers": raw, "client": ("127.0.0.1", 1), "app": app}
    return await socket_reader(WebSocket(scope, None, None))


async def test_a_socket_opened_with_the_cookie_needs_our_origin(door, app, ann):
    await sign_in(door)
    cookie = {"Cookie": f"tslice_session={door.cookies['tslice_session']}"}
    assert (await open_socket(app, {**cookie, "Origin": ORIGIN})).tenant.id == "acme-123"
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        with pytest.raises(SliceError) as refusal:
            await open_socket(app, cookie | origin)
        assert refusal.value.code == Code.FORBIDDEN


async def test_a_socket_opened_with_a_key_needs_its_scope(app, as_):
    assert (await open_socket(app, await as_("service read"))).tenant.id == "acme-123"
    for who, code in (("device", Code.FORBIDDEN), ("nobody", Code.UNAUTHENTICATED)):
        with pytest.raises(SliceError) as refusal:
            await open_socket(app, await as_(who))
        assert refusal.value.code == code
