"""There and back with a real provider: what does not hold is refused, in words for the page."""

import json
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.http.oidc.conftest import ANN, ROLES, audit, begun, corp

from telemetry_slice.engines.outbound import OutboundHttp
from telemetry_slice.flow.access import Access, Remote, Secrets
from telemetry_slice.flow.access.oidc import place
from telemetry_slice.runtime.providers import providers_of
from telemetry_slice.settings import Settings


async def refused(door, back):
    answer = await door.get(back)
    assert answer.status_code == 303
    assert "tslice_session" not in answer.cookies
    assert "tslice_session" not in door.cookies
    place_, _, refusal = answer.headers["location"].partition("?refused=")
    assert place_ == "/sign-in"
    return refusal


async def test_only_the_browser_that_went_comes_back(door, provider, browser):
    address = await begun(door)
    cookie = door.cookies["tslice_provider"]
    back = await provider.sign_in(browser, address, "ann", ANN)
    door.cookies.clear()
    assert await refused(door, back) == "expired"
    # Another browser, which has gone itself.
    await begun(door)
    assert await refused(door, back) == "expired"
    # And this one with an answer to another question.
    jar = {"Cookie": f"tslice_provider={cookie}"}
    door.cookies.clear()
    other = back.replace("state=", "state=x")
    assert (await door.get(other, headers=jar)).headers["location"] == "/sign-in?refused=expired"
    crossed = back.replace("/corp/", "/other/")
    assert (await door.get(crossed, headers=jar)).headers["location"] == "/sign-in?refused=expired"
    stateless = back.partition("state=")[0]
    assert (await door.get(stateless, headers=jar)).headers["location"] == "/sign-in?refused=expired"
    assert (await door.get(back, headers=jar)).headers["location"] == "/"


async def test_the_state_is_what_tells(door, provider, browser, monkeypatch):
    """The negative control: were it not compared, anybody's answer would sign anybody in."""
    back = await provider.sign_in(browser, await begun(door), "ann", ANN)
    monkeypatch.setattr("telemetry_slice.flow.access.oidc.hmac", SimpleNamespace(compare_digest=lambda *_: True))
    assert (await door.get(back.replace("state=", "state=x"))).headers["location"] == "/"


async def test_coming_back_works_once_and_not_for_ever(door, provider, browser, clock):
    address = await begun(door)
    jar = {"Cookie": f"tslice_provider={door.cookies['tslice_provider']}"}
    back = await provider.sign_in(browser, address, "ann", ANN)
    assert (await door.get(back)).headers["location"] == "/"
    assert "tslice_provider" not in door.cookies
    door.cookies.clear()
    assert (await door.get(back, headers=jar)).headers["location"] == "/sign-in?refused=expired"
    address = await begun(door)
    back = await provider.sign_in(browser, address, "ann", ANN)
    clock.advance(601)
    assert await refused(door, back) == "expired"


@pytest.mark.parametrize("changed", ["verifier", "nonce"])
async def test_a_code_of_another_sign_in_is_of_no_use(door, provider, browser, access, changed):
    """Somebody slips in a code of their own: neither PKCE nor nonce is that of the browser."""
    address = await begun(door)
    sealed = door.cookies["tslice_provider"]
    kept = json.loads(access.oidc._state.open(sealed, "corp"))
    resealed = access.oidc._state.close(json.dumps(kept | {changed: "x" * 43}), "corp")
    back = await provider.sign_in(browser, address, "ann", ANN)
    door.cookies.clear()
    answer = await door.get(back, headers={"Cookie": f"tslice_provider={resealed}"})
    assert answer.headers["location"] == f"/sign-in?refused={'expired' if changed == 'verifier' else 'untrusted'}"
    assert "tslice_session" not in door.cookies


async def test_an_answer_of_another_issuer_is_not_taken(door, provider, browser):
    """RFC 9207: mixed up between two providers."""
    back = await provider.sign_in(browser, await begun(door), "ann", ANN)
    assert f"iss={provider.issuer.replace(':', '%3A').replace('/', '%2F')}" in back
    assert await refused(door, back.replace("iss=", "iss=x")) == "untrusted"
    back = await provider.sign_in(browser, await begun(door), "ann", ANN)
    assert await refused(door, back.partition("&iss=")[0]) == "untrusted"


async def test_who_says_no_there_is_told_so(door, provider, browser, registry):
    back = await provider.sign_in(browser, await begun(door), "nobody", {})
    assert "error=access_denied" in back
    assert await refused(door, back) == "denied"
    assert [each[2] for each in await audit(registry)] == ["refused"]


@corp(issuer="http://127.0.0.1:9")
async def test_a_provider_that_is_away_is_told(door):
    answer = await door.get("/api/v1/auth/oidc/corp/start")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?refused=unavailable")


async def test_a_provider_inside_is_not_asked_without_leave(provider, clock):
    """Discovery is behind the guard of everything that leaves: private addresses only where the settings say so."""
    settings = provider.settings(roles=ROLES, issuer=provider.issuer.replace("http:", "https:"), allow_private=False)
    [remote] = providers_of(Settings(oidc_providers={"corp": settings}), clock)
    with pytest.raises(Exception, match=r"127\.0\.0\.1 has addresses that are not connected to"):
        await Remote(remote.provider, OutboundHttp(), clock).metadata()


async def test_an_unknown_provider_is_not_found(door):
    for path in ("none/start", "none/callback?state=x&code=y"):
        assert (await door.get(f"/api/v1/auth/oidc/{path}")).status_code == 404
    answer = await door.post("/api/v1/auth/oidc/none/backchannel-logout", data={"logout_token": "x"})
    assert answer.status_code == 404


async def test_trying_codes_is_braked(door, provider):
    found = []
    for _ in range(31):
        state = parse_qs(urlsplit(await begun(door)).query)["state"][0]
        back = f"/api/v1/auth/oidc/corp/callback?code=x&state={state}&iss={provider.issuer}"
        found.append(await refused(door, back))
    assert found == ["expired"] * 30 + ["too_many"]


async def test_nobody_is_sent_on_to_an_address_elsewhere(visit):
    for elsewhere in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example/",
        "/\n/evil.example",
        "/%0d%0aSet-Cookie:x\r\n",
        "javascript:alert(1)",
        "devices",
        "",
        "/api/v1/auth/oidc/corp/start",
        "/" + "x" * 502,
    ):
        assert place(elsewhere) == "/", elsewhere
    assert place("/devices/ü?x=/y#z") == "/devices/ü?x=/y#z"
    assert (await visit(next="//evil.example/")).next == "/"


async def test_the_question_is_of_the_code_flow_with_everything_that_binds_it(door, app):
    door.cookies.clear()
    answer = await door.get("https://slice.example/api/v1/auth/oidc/corp/start")
    asked = {name: value for name, [value] in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    assert asked.pop("redirect_uri") == "https://slice.example/api/v1/auth/oidc/corp/callback"
    secrets = [asked.pop(name) for name in ("state", "nonce", "code_challenge")]
    assert all(len(each) == 43 for each in secrets)
    assert len({*secrets}) == 3
    assert asked == {
        "response_type": "code",
        "client_id": "telemetry-slice",
        "scope": "openid profile email groups",
        "code_challenge_method": "S256",
    }
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "secure", "samesite=lax", "path=/api/v1/auth/oidc/corp", "max-age=600"):
        assert part in cookie
    assert not any(each in answer.headers["set-cookie"] for each in secrets)


async def test_where_the_provider_sends_people_back_to_is_the_public_address(registry, clock, signing_key, told):
    made = Access(
        Secrets(b"pepper" * 6, signing_key),
        registry,
        clock,
        providers=providers_of(Settings(oidc_providers=told), clock),
        public_url="https://slice.public/",
        monotonic=clock.monotonic,
    )
    address, _ = await made.oidc.start("corp", None, "http://forged.example/")
    assert parse_qs(urlsplit(address).query)["redirect_uri"] == ["https://slice.public/api/v1/auth/oidc/corp/callback"]
    made.close()


def test_the_doctor_asks_each_provider(told, provider):
    from telemetry_slice.cli.doctor import check_providers

    away = provider.settings(roles=ROLES) | {"issuer": "http://127.0.0.1:9"}
    mistaken = provider.settings(roles=ROLES) | {"issuer": f"{provider.issuer}/"}
    found = check_providers(Settings(oidc_providers=told | {"away": away, "mistaken": mistaken}))
    assert [(each.name, each.fine) for each in found] == [
        ("provider away", False),
        ("provider corp", True),
        ("provider mistaken", False),
        ("provider other", True),
    ]
    assert "calls itself" in found[2].found
    assert check_providers(Settings()) == []
