"""Invitations and new passwords over HTTP: shown once, good once, telling nothing."""

import asyncio
import re

import pytest
from tests.http.conftest import ORIGIN, called
from tests.postbox import postbox as running_postbox

from telemetry_slice.engines.smtp import SmtpPost
from telemetry_slice.flow.access import Access, Secrets
from telemetry_slice.model.tenancy import Role

PASSWORD = "correct horse battery"
NEW = "another horse battery"
OWN = {"X-Requested-With": "tslice", "Origin": ORIGIN}
DAY_S = 24 * 3600


@pytest.fixture
def postbox():
    with running_postbox() as running:
        yield running


@pytest.fixture
def posting(registry, clock, signing_key, postbox, access, monkeypatch):
    """Let `access` send."""
    made = Access(
        Secrets(b"pepper" * 6, signing_key),
        registry,
        clock,
        post=SmtpPost(postbox.url, "slice@example.org"),
        public_url="https://slice.public/",
        monotonic=clock.monotonic,
    )
    monkeypatch.setattr(access, "links", made.links)
    yield postbox
    made.close()


@pytest.fixture
async def ann(access, acme):
    return await access.people.add("ann@example.org", "Ann", PASSWORD, [(acme.no, Role.OWNER)])


async def sign_in(door, name="ann", password=PASSWORD):
    body = {"email": f"{name}@example.org", "password": password}
    return (await door.post("/api/v1/auth/login", json=body)).status_code


async def invited(door, headers, email="bob@example.org", role="operator"):
    answer = await door.post("/api/v1/invitations", json={"email": email, "role": role}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def token_of(link):
    return link.partition("?token=")[2]


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_invitation_is_accepted_with_a_new_account(door, as_):
    owner = await as_("owner")
    made = await invited(door, owner)
    assert made["link"].startswith(f"{ORIGIN}/invitation?token=")
    assert made["sent"] is False
    listed = (await door.get("/api/v1/invitations", headers=owner)).json()["invitations"]
    assert listed == [{name: made[name] for name in ("id", "email", "role", "createdAt", "expiresAt")}]
    token = token_of(made["link"])
    offered = (await door.post("/api/v1/auth/invitation", json={"token": token})).json()
    assert offered == {
        "email": "bob@example.org",
        "role": "operator",
        "tenant": {"id": "acme-123", "name": "Acme Corporation"},
        "hasAccount": False,
    }
    body = {"token": token, "name": "Bob", "password": "short"}
    refused = await door.post("/api/v1/auth/invitation/accept", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/password")
    me = await door.post("/api/v1/auth/invitation/accept", json=body | {"password": PASSWORD})
    assert (me.status_code, me.json()["role"], me.json()["user"]["name"]) == (200, "operator", "Bob")
    assert (await door.get("/api/v1/me")).json() == me.json()
    for path in ("/api/v1/auth/invitation", "/api/v1/auth/invitation/accept"):
        again = await door.post(path, json={"token": token} | ({"password": NEW} if "accept" in path else {}))
        assert again.status_code == 401
    assert (await door.get("/api/v1/invitations", headers=owner)).json()["invitations"] == []


async def test_an_invitation_is_accepted_by_who_has_an_account(door, as_, access, beta, ann):
    made = await invited(door, await as_("owner", beta), "ANN@example.org")
    token = token_of(made["link"])
    assert (await door.post("/api/v1/auth/invitation", json={"token": token})).json()["hasAccount"] is True
    body = {"token": token, "name": "Eve", "password": NEW}
    assert (await door.post("/api/v1/auth/invitation/accept", json=body)).status_code == 409
    await access.people.add("eve@example.org", "Eve", PASSWORD, [])
    assert await sign_in(door, "eve") == 200
    assert (await door.post("/api/v1/me/invitations", json={"token": token}, headers=OWN)).status_code == 403
    assert await sign_in(door) == 200
    answer = await door.post("/api/v1/me/invitations", json={"token": token}, headers=OWN)
    assert (answer.status_code, answer.json()["id"]) == (200, "beta-456")
    assert {t["id"]: t["role"] for t in (await door.get("/api/v1/me")).json()["tenants"]} == {
        "acme-123": "owner",
        "beta-456": "operator",
    }
    assert (await door.post("/api/v1/me/invitations", json={"token": token}, headers=OWN)).status_code == 401


async def test_an_invitation_ends_after_seven_days_or_when_it_is_withdrawn(door, as_, clock):
    owner = await as_("owner")
    made = await invited(door, owner)
    assert (await door.delete(f"/api/v1/invitations/{made['id']}", headers=owner)).status_code == 204
    assert (await door.delete(f"/api/v1/invitations/{made['id']}", headers=owner)).status_code == 404
    body = {"token": token_of(made["link"])}
    assert (await door.post("/api/v1/auth/invitation", json=body)).status_code == 401
    body = {"token": token_of((await invited(door, owner))["link"])}
    clock.advance(7 * DAY_S - 1)
    assert (await door.post("/api/v1/auth/invitation", json=body)).status_code == 200
    clock.advance(1)
    assert (await door.post("/api/v1/auth/invitation", json=body)).status_code == 401


async def test_only_owners_invite_owners(door, as_):
    body = {"email": "bob@example.org", "role": "owner"}
    for who, status in (("admin", 403), ("service admin", 403), ("owner", 201), ("console", 201), ("viewer", 403)):
        answer = await door.post("/api/v1/invitations", json=body, headers=await as_(who))
        assert answer.status_code == status, who


async def test_links_are_sent_where_there_is_a_way(door, as_, posting):
    """With the public address, whatever the request says that the host is."""
    made = await invited(door, {**await as_("owner"), "Host": "evil.example"})
    assert made["sent"] is True
    [(to, message, _)] = posting.sent
    text = message.get_content()
    assert to == ["bob@example.org"]
    assert made["link"] in text
    assert "evil" not in text
    assert "Acme Corporation" in text
    posting.away = True
    assert (await invited(door, await as_("owner")))["sent"] is False


# ------------------------------------------------------------------------------------------------ new passwords
async def test_a_new_password_by_a_link_of_the_administrator(door, app, as_, acme, access):
    bob = await access.people.add("bob@example.org", "Bob", PASSWORD, [(acme.no, Role.VIEWER)])
    assert await sign_in(door, "bob") == 200
    async with called(app) as other:
        made = await other.post(f"/api/v1/users/{bob.user_id}/reset", headers=await as_("admin"))
        assert made.status_code == 201, made.text
        token = token_of(made.json()["link"])
        assert made.json()["link"].startswith(f"{ORIGIN}/reset?token=")
        body = {"token": token, "newPassword": "short"}
        refused = await other.post("/api/v1/auth/reset/confirm", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/newPassword")
        # Another kind of link opens nothing here.
        assert (await other.post("/api/v1/auth/invitation", json={"token": token})).status_code == 401
        body["newPassword"] = NEW
        assert (await other.post("/api/v1/auth/reset/confirm", json=body)).status_code == 204
        assert (await other.post("/api/v1/auth/reset/confirm", json=body)).status_code == 401
    assert (await door.get("/api/v1/me")).status_code == 401
    assert [await sign_in(door, "bob"), await sign_in(door, "bob", NEW)] == [401, 200]


async def test_an_account_of_others_too_is_not_a_tenants_to_open(door, as_, access, acme, beta):
    """Else the administrator of one tenant would get into another."""
    both = await access.people.add("both@example.org", "", PASSWORD, [(acme.no, Role.VIEWER), (beta.no, Role.OWNER)])
    chief = await access.people.add("chief@example.org", "", PASSWORD, [(acme.no, Role.VIEWER)], platform_admin=True)
    owner = await access.people.add("owner@example.org", "", PASSWORD, [(acme.no, Role.OWNER)])
    for account, who, status in (
        (both, "owner", 403),
        (both, "service admin", 403),
        (both, "console", 201),
        (chief, "owner", 403),
        (owner, "admin", 403),
        (owner, "owner", 201),
    ):
        user = f"/api/v1/users/{account.user_id}"
        assert (await door.post(f"{user}/reset", headers=await as_(who))).status_code == status, (account.email, who)
        removed = await door.delete(f"{user}/second-factor", headers=await as_(who))
        assert removed.status_code == (204 if status == 201 else status), (account.email, who)
    assert (await door.post(f"/api/v1/users/{both.user_id}/reset", headers=await as_("viewer"))).status_code == 403


async def test_asking_for_a_new_password_tells_nothing(door, ann, posting, clock):
    known = await door.post("/api/v1/auth/reset", json={"email": "Ann@example.org"})
    unknown = await door.post("/api/v1/auth/reset", json={"email": "nobody@example.org"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"null")
    await until(lambda: posting.sent)
    [(to, message, _)] = posting.sent
    assert to == ["ann@example.org"]
    token = re.search(r"https://slice\.public/reset\?token=([\w-]+)", message.get_content())[1]
    body = {"token": token, "newPassword": NEW}
    clock.advance(DAY_S - 1)
    assert (await door.post("/api/v1/auth/reset/confirm", json=body)).status_code == 204
    assert await sign_in(door, password=NEW) == 200
    assert len(posting.sent) == 1


async def test_asking_again_and_again_is_braked_for_known_and_unknown(door, ann, posting):
    for email in ("ann@example.org", "nobody@example.org"):
        asked = [(await door.post("/api/v1/auth/reset", json={"email": email})).status_code for _ in range(4)]
        assert asked == [202, 202, 202, 429]
    # The server must not end with a message on its way.
    await until(lambda: len(posting.sent) == 3)


async def test_without_a_way_to_send_nobody_is_promised_anything(door, ann):
    methods = (await door.get("/api/v1/auth/methods")).json()
    assert methods == {"password": True, "resetByEmail": False, "providers": []}
    for email in ("ann@example.org", "nobody@example.org"):
        assert (await door.post("/api/v1/auth/reset", json={"email": email})).status_code == 403


async def test_the_page_learns_how_one_can_sign_in(door, posting):
    methods = (await door.get("/api/v1/auth/methods")).json()
    assert methods == {"password": True, "resetByEmail": True, "providers": []}


async def test_guessing_links_is_braked(door):
    answers = [await door.post("/api/v1/auth/invitation", json={"token": f"{n}"}) for n in range(31)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429]


async def test_the_registry_keeps_no_secret_of_a_link(door, as_, tmp_path):
    token = token_of((await invited(door, await as_("owner")))["link"])
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
