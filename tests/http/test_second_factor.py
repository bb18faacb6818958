"""The second factor over HTTP: enrolled, asked for, taken once, recovered, removed."""

import base64
import hmac
import re
import struct
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.http.conftest import ORIGIN, called

from telemetry_slice.model.tenancy import Role

PASSWORD = "correct horse battery"
OWN = {"X-Requested-With": "tslice", "Origin": ORIGIN}
FACTOR = "/api/v1/me/second-factor"


def code_at(secret, now_s):
    """RFC 6238 as it is written, beside the library that the platform uses."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(now_s) // 30), "sha1")
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def test_the_codes_of_the_standard():
    secret = base64.b32encode(b"12345678901234567890")
    assert [code_at(secret, at) for at in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


@pytest.fixture
async def ann(access, acme):
    return await access.people.add("ann@example.org", "Ann", PASSWORD, [(acme.no, Role.OWNER)])


async def login(door, code=None, password=PASSWORD):
    body = {"email": "ann@example.org", "password": password} | ({} if code is None else {"code": code})
    return await door.post("/api/v1/auth/login", json=body)


@pytest.fixture
async def enrolled(door, ann, clock):
    """Secret and recovery codes of Ann, who is signed in; the clock is a step after what she has shown."""
    assert (await login(door)).status_code == 200
    offered = (await door.post(FACTOR, json={"password": PASSWORD}, headers=OWN)).json()
    answer = await door.post(
        f"{FACTOR}/confirm", json={"code": code_at(offered["secret"], clock.us / 1e6)}, headers=OWN
    )
    assert answer.status_code == 200, answer.text
    clock.advance(30)
    return offered["secret"], answer.json()["recoveryCodes"]


async def test_enrolment_needs_the_password_and_a_code(door, ann, clock):
    await login(door)
    assert (await door.post(FACTOR, json={"password": "wrong horse battery"}, headers=OWN)).status_code == 401
    offered = (await door.post(FACTOR, json={"password": PASSWORD}, headers=OWN)).json()
    uri = urlsplit(offered["uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [offered["secret"]]
    assert len(base64.b32decode(offered["secret"])) >= 20
    # Nothing is asked for before it is confirmed.
    assert (await login(door)).status_code == 200
    wrong = await door.post(f"{FACTOR}/confirm", json={"code": "000000"}, headers=OWN)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/code")
    assert (await door.get(FACTOR)).json() == {"enabled": False, "recoveryCodes": 0}
    code = code_at(offered["secret"], clock.us / 1e6)
    codes = (await door.post(f"{FACTOR}/confirm", json={"code": code}, headers=OWN)).json()["recoveryCodes"]
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", each) for each in codes)
    assert (await door.get(FACTOR)).json() == {"enabled": True, "recoveryCodes": 10}
    assert (await door.post(FACTOR, json={"password": PASSWORD}, headers=OWN)).status_code == 409


async def test_signing_in_takes_a_code_once(door, enrolled, clock):
    secret, _ = enrolled
    needed = await login(door)
    assert (needed.status_code, needed.json()["type"].rpartition(":")[2]) == (401, "second_factor_needed")
    assert needed.headers["www-authenticate"] == "Bearer"
    # A wrong password is not told that there is a second factor.
    wrong = await login(door, password="wrong horse battery")
    assert wrong.json()["type"].endswith(":unauthenticated")
    code = code_at(secret, clock.us / 1e6)
    assert (await login(door, f"{code[:3]} {code[3:]}")).status_code == 200
    assert (await login(door, code)).status_code == 401
    clock.advance(30)
    assert (await login(door, code)).status_code == 401
    assert (await login(door, code_at(secret, clock.us / 1e6))).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-60, 401), (-30, 401), (0, 200), (30, 200), (60, 401)])
async def test_clocks_may_differ_by_a_step(door, enrolled, clock, seconds, status):
    """A step before is that of the enrolment, whose code was shown."""
    secret, _ = enrolled
    assert (await login(door, code_at(secret, clock.us / 1e6 + seconds))).status_code == status


async def test_tokens_need_the_code_too(door, enrolled, clock):
    secret, _ = enrolled
    grant = {"grantType": "password", "email": "ann@example.org", "password": PASSWORD}
    assert (await door.post("/api/v1/auth/token", json=grant)).status_code == 401
    grant["code"] = code_at(secret, clock.us / 1e6)
    pair = (await door.post("/api/v1/auth/token", json=grant)).json()
    assert (await door.post("/api/v1/auth/token", json=grant)).status_code == 401
    refresh = {"grantType": "refresh", "refreshToken": pair["refreshToken"]}
    assert (await door.post("/api/v1/auth/token", json=refresh)).status_code == 200


async def test_a_recovery_code_is_good_once(door, enrolled):
    _, codes = enrolled
    assert (await login(door, codes[3].upper())).status_code == 200
    assert (await login(door, codes[3])).status_code == 401
    assert (await login(door, codes[4].replace("-", ""))).status_code == 200
    assert (await door.get(FACTOR)).json() == {"enabled": True, "recoveryCodes": 8}


async def test_guessing_codes_is_braked(door, enrolled, clock):
    secret, _ = enrolled
    guessed = [(await login(door, f"{n:06}")).status_code for n in range(6)]
    assert guessed == [401] * 5 + [429]
    assert (await login(door, code_at(secret, clock.us / 1e6))).status_code == 429
    clock.advance(300)
    assert (await login(door, code_at(secret, clock.us / 1e6))).status_code == 200


async def test_removing_needs_the_password_and_a_code(door, enrolled, clock):
    secret, _ = enrolled
    code = code_at(secret, clock.us / 1e6)
    for body, status in (
        ({"password": "wrong horse battery", "code": code}, 401),
        ({"password": PASSWORD, "code": "000000"}, 401),
        ({"password": PASSWORD}, 422),
        ({"password": PASSWORD, "code": code}, 204),
    ):
        assert (await door.post(f"{FACTOR}/remove", json=body, headers=OWN)).status_code == status
    assert (await login(door)).status_code == 200


async def test_a_new_password_by_a_link_leaves_the_factor(door, enrolled, access, ann):
    token, _ = await access.links.reset_of(ann)
    body = {"token": token, "newPassword": "another horse battery"}
    assert (await door.post("/api/v1/auth/reset/confirm", json=body)).status_code == 204
    answer = await login(door, password="another horse battery")
    assert answer.json()["type"].endswith(":second_factor_needed")


async def test_an_administrator_removes_it_for_who_has_lost_it(door, app, as_, enrolled, ann, beta):
    factor = f"/api/v1/users/{ann.user_id}/second-factor"
    async with called(app) as other:
        for who, status in (
            (await as_("viewer"), 403),
            (await as_("admin"), 403),
            (await as_("owner", beta), 404),
        ):
            assert (await other.delete(factor, headers=who)).status_code == status
        assert (await login(other)).json()["type"].endswith(":second_factor_needed")
        assert (await other.delete(factor, headers=await as_("owner"))).status_code == 204
        assert (await login(other)).status_code == 200
        assert (await other.delete(factor, headers=await as_("owner"))).status_code == 204


async def test_the_registry_keeps_neither_secret_nor_codes(enrolled, tmp_path):
    secret, codes = enrolled
    plain = [secret, *codes, *(code.replace("-", "") for code in codes)]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert [text for text in plain if text.encode() in kept] == []


@pytest.mark.parametrize("who", ["console", "service admin"])
async def test_programs_have_no_second_factor(door, as_, who):
    headers = await as_(who)
    assert (await door.get(FACTOR, headers=headers)).status_code == 403
    assert (await door.post(FACTOR, json={"password": PASSWORD}, headers=headers)).status_code == 403
