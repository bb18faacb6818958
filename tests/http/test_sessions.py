"""One's own sign-ins: seen, ended one by one and all together; and forged changes with a cookie."""

import pytest
from tests.http.conftest import ORIGIN, called

from telemetry_slice.model.tenancy import Role

PASSWORD = "correct horse battery"
OWN = {"X-Requested-With": "tslice", "Origin": ORIGIN}
SESSIONS = "/api/v1/me/sessions"


@pytest.fixture
async def ann(access, acme):
    return await access.people.add("ann@example.org", "Ann", PASSWORD, [(acme.no, Role.OWNER)])


@pytest.fixture
async def bob(access, acme):
    return await access.people.add("bob@example.org", "Bob", PASSWORD, [(acme.no, Role.VIEWER)])


async def sign_in(door, name="ann", **headers):
    body = {"email": f"{name}@example.org", "password": PASSWORD}
    assert (await door.post("/api/v1/auth/login", json=body, headers=headers)).status_code == 200


async def test_sessions_are_listed_with_where_they_come_from(door, app, ann, bob):
    await sign_in(door, **{"User-Agent": "Firefox/140"})
    async with called(app) as other:
        await sign_in(other, "bob")
        grant = {"grantType": "password", "email": "ann@example.org", "password": PASSWORD}
        pair = (await other.post("/api/v1/auth/token", json=grant, headers={"User-Agent": "x" * 900})).json()
    found = (await door.get(SESSIONS)).json()["sessions"]
    assert sorted((each["kind"], each["current"], each["tenant"], each["address"]) for each in found) == [
        ("browser", True, "acme-123", "127.0.0.1"),
        ("refresh", False, "acme-123", "127.0.0.1"),
    ]
    assert {each["userAgent"] for each in found} == {"Firefox/140", "x" * 200}
    assert all(each["createdAt"] == each["lastUsedAt"] < each["expiresAt"] for each in found)
    bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
    seen = (await door.get(SESSIONS, headers=bearer)).json()["sessions"]
    assert {(each["kind"], each["current"]) for each in seen} == {("browser", False), ("refresh", True)}


async def test_a_session_is_ended_by_its_person_alone(door, app, ann, bob):
    await sign_in(door)
    async with called(app) as lost, called(app) as foreign:
        await sign_in(lost)
        await sign_in(foreign, "bob")
        [theirs] = (await foreign.get(SESSIONS)).json()["sessions"]
        assert (await door.delete(f"{SESSIONS}/{theirs['id']}", headers=OWN)).status_code == 404
        assert (await foreign.get("/api/v1/me")).status_code == 200
        [wanted] = [each for each in (await door.get(SESSIONS)).json()["sessions"] if not each["current"]]
        assert (await door.delete(f"{SESSIONS}/{wanted['id']}", headers=OWN)).status_code == 204
        assert (await lost.get("/api/v1/me")).status_code == 401
        assert (await door.delete(f"{SESSIONS}/{wanted['id']}", headers=OWN)).status_code == 404
    assert (await door.get("/api/v1/me")).status_code == 200


async def test_signing_out_everywhere_ends_tokens_too(door, ann):
    await sign_in(door)
    grant = {"grantType": "password", "email": "ann@example.org", "password": PASSWORD}
    pair = (await door.post("/api/v1/auth/token", json=grant)).json()
    bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
    assert (await door.get("/api/v1/me", headers=bearer)).status_code == 200
    assert (await door.delete(SESSIONS, headers=OWN)).status_code == 204
    assert "tslice_session" not in door.cookies
    assert (await door.get("/api/v1/me", headers=bearer)).status_code == 401
    refresh = {"grantType": "refresh", "refreshToken": pair["refreshToken"]}
    assert (await door.post("/api/v1/auth/token", json=refresh)).status_code == 401


@pytest.mark.parametrize("who", ["console", "device", "gateway", "service read"])
async def test_programs_have_no_sessions(door, as_, who):
    headers = await as_(who)
    for method, path in (("GET", SESSIONS), ("DELETE", SESSIONS), ("DELETE", f"{SESSIONS}/x")):
        assert (await door.request(method, path, headers=headers)).status_code == 403


# ------------------------------------------------------------------------------------------------ forged requests
HEADER = {"X-Requested-With": "tslice"}
FORGED = {
    "nothing": {},
    "no origin": HEADER,
    "no header": {"Origin": ORIGIN},
    "another header": {"Origin": ORIGIN, "X-Requested-With": "XMLHttpRequest"},
    "another site": {**HEADER, "Origin": "http://evil.example"},
    "a name that begins like ours": {**HEADER, "Origin": "http://slice.example.evil.example"},
    "a name that ends like ours": {**HEADER, "Origin": "http://evil-slice.example"},
    "a page below ours": {**HEADER, "Origin": "http://x.slice.example"},
    "our name as a user": {**HEADER, "Origin": "http://slice.example@evil.example"},
    "another port": {**HEADER, "Origin": "http://slice.example:81"},
    "null": {**HEADER, "Origin": "null"},
    "empty": {**HEADER, "Origin": ""},
    "broken": {**HEADER, "Origin": "http://[slice.example"},
    "told to be of another site": {**HEADER, "Sec-Fetch-Site": "cross-site"},
    "told to be of a neighbour": {**HEADER, "Sec-Fetch-Site": "same-site"},
    "a form": {"Origin": "http://evil.example", "Content-Type": "application/x-www-form-urlencoded"},
    "a form as text": {"Origin": "null", "Content-Type": "text/plain"},
}
CHANGES = [
    ("POST", "/api/v1/devices"),
    ("POST", "/api/v1/auth/logout"),
    ("POST", "/api/v1/auth/password"),
    ("POST", "/api/v1/auth/tenant"),
    ("POST", "/api/v1/keys"),
    ("DELETE", SESSIONS),
]


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_change_is_refused(door, ann, name):
    await sign_in(door)
    for method, path in CHANGES:
        answer = await door.request(method, path, headers=FORGED[name], content=b"{}")
        assert answer.status_code == 403, path
    assert (await door.get("/api/v1/me")).status_code == 200


@pytest.mark.parametrize("headers", [OWN, {**HEADER, "Sec-Fetch-Site": "same-origin"}])
async def test_our_own_page_may_change(door, ann, headers):
    await sign_in(door)
    assert (await door.post("/api/v1/devices", json={"deviceId": "d"}, headers=headers)).status_code == 201


async def test_a_page_without_tls_has_no_say_where_there_is_tls(door, ann):
    body = {"email": "ann@example.org", "password": PASSWORD}
    for origin, status in (("http://slice.example", 403), ("https://slice.example", 200)):
        answer = await door.post("https://slice.example/api/v1/auth/login", json=body, headers={"Origin": origin})
        assert answer.status_code == status


async def test_the_cookie_is_kept_from_scripts_and_from_other_sites(door, ann):
    for scheme, secure in (("http", False), ("https", True)):
        body = {"email": "ann@example.org", "password": PASSWORD}
        answer = await door.post(f"{scheme}://slice.example/api/v1/auth/login", json=body)
        flags = {flag.strip().lower() for flag in answer.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= flags
        assert ("secure" in flags) == secure
