"""Out here and at the provider; and who has left there has left here."""

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.http.conftest import ORIGIN
from tests.http.oidc.conftest import ANN, OWN, PASSWORD, audit, begun

from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.identities import ProvidedSignIn


async def test_signing_out_leads_to_the_provider(door, provider, browser):
    back = await provider.sign_in(browser, await begun(door), "ann", ANN)
    await door.get(back)
    out = await door.post("/api/v1/auth/logout", headers=OWN)
    assert out.status_code == 200
    way_out = out.json()["next"]
    asked = parse_qs(urlsplit(way_out).query)
    assert way_out.startswith(f"{provider.issuer}/session/end?")
    assert asked["post_logout_redirect_uri"] == [f"{ORIGIN}/sign-in"]
    assert "tslice_session" not in door.cookies
    assert await provider.sign_out(browser, way_out) == f"{ORIGIN}/sign-in"
    # There, too, nobody is signed in any more: the next time it asks who one is.
    assert (await browser.get(await begun(door))).headers["location"].startswith("/interaction/")


async def test_other_sign_ins_end_as_ever(door, access, acme):
    await access.people.add("local@example.org", "Local", PASSWORD, [(acme.no, Role.VIEWER)])
    body = {"email": "local@example.org", "password": PASSWORD}
    assert (await door.post("/api/v1/auth/login", json=body)).status_code == 200
    out = await door.post("/api/v1/auth/logout", headers=OWN)
    assert (out.status_code, out.content) == (204, b"")


async def test_a_provider_that_is_away_does_not_keep_anybody_in(visit, door, access, monkeypatch):
    await visit()
    remote = access.oidc._remotes["corp"]
    monkeypatch.setattr(remote, "_metadata", None)
    monkeypatch.setattr(remote, "provider", SimpleNamespace(issuer="http://127.0.0.1:9", allow_private=True))
    assert (await door.post("/api/v1/auth/logout", headers=OWN)).status_code == 204
    assert (await door.get("/api/v1/me")).status_code == 401


async def told_by(door, token, by="corp"):
    answer = await door.post(f"/api/v1/auth/oidc/{by}/backchannel-logout", data={"logout_token": token})
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code


async def test_who_has_left_at_the_provider_has_left_here(visit, door, provider, registry, acme):
    async def came(name="ann", by="corp"):
        await visit(name, ANN | {"groups": ["keepers"]}, by)
        return {"Cookie": f"tslice_session={door.cookies['tslice_session']}"}

    async def are_in(*sessions):
        door.cookies.clear()
        return [(await door.get("/api/v1/me", headers=each)).status_code == 200 for each in sessions]

    sessions = [await came(), await came(), await came(by="other"), await came("bob")]
    assert await told_by(door, provider.logout_token(sub="nobody")) == 200
    assert await told_by(door, provider.logout_token(sid="unknown")) == 200
    assert await are_in(*sessions) == [True] * 4
    # Every sign-in of a person by that provider …
    assert await told_by(door, provider.logout_token(sub="ann")) == 200
    assert await are_in(*sessions) == [False, False, True, True]
    assert ("end", "session", "done", {"by": "provider corp"}) in await audit(registry, acme.no)
    assert await told_by(door, provider.logout_token(sub="ann"), "other") == 200
    assert await are_in(*sessions) == [False, False, False, True]


@pytest.mark.parametrize("names", ["session", "both", "of another"])
async def test_a_session_there_that_has_ended_ends_what_came_of_it(registry, access, door, provider, visit, names):
    """By hand: the provider of these tests names its sessions in the browser test alone."""
    first = await visit()
    kept = {}
    for session in ("s1", "s2"):
        signed_in = await access.people.sign_in(first.me["user"]["id"], None, None)
        user = signed_in.profile.user
        kept[session] = signed_in.token
        sign_in = ProvidedSignIn(user.family, user.user_id, "corp", session, "sealed")
        await registry.signing_in.identities.remember(sign_in)
    claims = {"session": {"sid": "s1"}, "both": {"sid": "s1", "sub": "ann"}, "of another": {"sid": "s1", "sub": "bob"}}
    assert await told_by(door, provider.logout_token(**claims[names])) == 200
    door.cookies.clear()
    for session, ends in (("s1", names != "of another"), ("s2", False)):
        me = await door.get("/api/v1/me", headers={"Cookie": f"tslice_session={kept[session]}"})
        assert me.status_code == (401 if ends else 200), session


async def test_a_word_that_does_not_hold_ends_nothing(visit, door, provider):
    await visit()
    path = "/api/v1/auth/oidc/corp/backchannel-logout"
    good = provider.logout_token(sub="ann")
    head, body, _ = good.split(".")
    for token in (f"{head}.{body}.x", provider.logout_token(sub="ann", aud="x"), "x", "é"):
        assert (await door.post(path, data={"logout_token": token})).status_code == 400
    for content in (b"", b"\xff", b"logout_token=a&logout_token=b", b"&".join([b"a=b"] * 11), b"{}"):
        assert (await door.post(path, content=content)).status_code == 400
    assert (await door.post(path, content=b"logout_token=" + b"x" * 70_000)).status_code == 413
    assert (await door.get("/api/v1/me")).status_code == 200
