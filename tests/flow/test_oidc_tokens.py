"""What a provider signs is believed only as far as it holds: a signer made by hand says what no real provider would."""

import asyncio
import base64
import hmac
import json
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from telemetry_slice.flow.access.provider import FRESH_S, Provider, Refusal, RefusedError, Remote
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.outbound import Answer

ISSUER = "https://provider.example/realm"
CLIENT = "telemetry-slice"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
KEYS = {
    "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "ec": ECKey.generate_key("P-256", {"kid": "ec"}),
    "okp": OKPKey.generate_key("Ed25519", {"kid": "okp"}),
}
STRANGER = RSAKey.generate_key(2048, {"kid": "stranger"})
ALGS = {"rsa": "RS256", "ec": "ES256", "okp": "Ed25519"}


def public(key, **more):
    return key.as_dict(private=False) | more


class Forge:
    """`ports.outbound.Outbound`: a provider that says whatever a test wants.

    Attributes: asked: paths, in order; documents: what it answers, by path.
    """

    def __init__(self):
        self.asked = []
        self.forms = []
        self.headers = []
        self.away = False
        self.documents = {
            "/.well-known/openid-configuration": {
                "issuer": ISSUER,
                "authorization_endpoint": "https://provider.example/authorize?realm=x",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
                "end_session_endpoint": "https://provider.example/leave",
            },
            "/keys": {"keys": [public(key) for key in KEYS.values()]},
            "/token": {},
        }
        self.statuses = {}

    async def ask(self, request):
        await asyncio.sleep(0)
        path = request.url.removeprefix(ISSUER)
        self.asked.append(path)
        self.forms.append(parse_qs(request.body.decode()))
        self.headers.append(dict(request.headers))
        if self.away:
            raise UnavailableError("away")
        document = self.documents[path]
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return Answer(self.statuses.get(path, 200), {}, body)


@pytest.fixture
def forge():
    return Forge()


def provider(**more):
    settings = {
        "name": "corp",
        "label": "Corp",
        "issuer": ISSUER,
        "client_id": CLIENT,
        "client_secret": "s/e c",
        "scopes": ("openid",),
        "groups_claim": "groups",
        "roles": {"a": (("acme", Role.VIEWER),)},
        "tenants": frozenset({"acme"}),
    }
    return Provider(**settings | more)


@pytest.fixture
def remote(forge, clock):
    return Remote(provider(), forge, clock, monotonic=clock.monotonic)


@pytest.fixture
def claims(clock):
    now = clock.us // 1_000_000
    return {"iss": ISSUER, "aud": CLIENT, "sub": "ann", "nonce": "n", "iat": now, "exp": now + 300}


def signed(claims, by="rsa", header=None, key=None):
    key = key or KEYS[by]
    alg = (header or {}).get("alg", ALGS.get(by, "RS256"))
    wanted = {"alg": alg, "kid": key.kid, "typ": "JWT"} | (header or {})
    told = {name: value for name, value in wanted.items() if value is not None}
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(told, kept, key, registry=registry, default_type=None)


def by_hand(header, claims, signature=b""):
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def shown(forge, remote, token, nonce="n"):
    forge.documents["/token"] = {"id_token": token, "access_token": "access"}
    return await remote.exchange("code", "https://slice.example/callback", "verifier", nonce)


async def refusal(waiting):
    with pytest.raises(RefusedError) as refused:
        await waiting
    return refused.value.refusal


@pytest.mark.parametrize("by", KEYS)
async def test_a_right_token_is_believed(forge, remote, claims, by):
    token = signed(claims | {"groups": ["a"], "email": "a@b.c"}, by)
    assert await shown(forge, remote, token) == (token, claims | {"groups": ["a"], "email": "a@b.c"})


WRONG = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "issuers": {"iss": [ISSUER]},
    "another audience": {"aud": "somebody else"},
    "no audience": {"aud": None},
    "audiences without a party": {"aud": [CLIENT, "somebody else"]},
    "another party": {"azp": "somebody else"},
    "parties": {"azp": [CLIENT]},
    "audiences and another party": {"aud": [CLIENT, "x"], "azp": "x"},
    "another nonce": {"nonce": "m"},
    "no nonce": {"nonce": None},
    "nonces": {"nonce": ["n"]},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number for a subject": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
    "a subject with a line break": {"sub": "a\nb"},
    "no end": {"exp": None},
    "a text for an end": {"exp": "tomorrow"},
    "no beginning": {"iat": None},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_claims_that_do_not_hold(forge, remote, claims, wrong):
    assert await refusal(shown(forge, remote, signed(claims | WRONG[wrong]))) == Refusal.UNTRUSTED


@pytest.mark.parametrize(
    ("name", "offset"), [("exp", -61), ("iat", 61), ("nbf", 61)], ids=["expired", "of the future", "not yet"]
)
async def test_times_hold_within_a_minute(forge, remote, claims, clock, name, offset):
    now = clock.us // 1_000_000
    assert await refusal(shown(forge, remote, signed(claims | {name: now + offset}))) == Refusal.UNTRUSTED
    nearly = now + offset - (2 if offset > 0 else -2)
    await shown(forge, remote, signed(claims | {name: nearly}))


async def test_several_audiences_are_taken_where_we_are_the_party(forge, remote, claims):
    await shown(forge, remote, signed(claims | {"aud": [CLIENT, "api"], "azp": CLIENT}))


def attacks(claims):
    rsa = KEYS["rsa"]
    pem = rsa.as_pem(private=False)
    head = {"typ": "JWT", "kid": "rsa"}
    body = by_hand(head | {"alg": "HS256"}, claims).rpartition(".")[0]
    mac = hmac.digest(pem, body.encode(), "sha256")
    good = signed(claims)
    start, middle, end = good.split(".")
    other = by_hand({}, claims | {"sub": "eve"}).split(".")[1]
    return {
        "none": by_hand(head | {"alg": "none"}, claims),
        "None": by_hand(head | {"alg": "None"}, claims),
        "without a signature": f"{start}.{middle}.",
        "no alg": by_hand(head, claims),
        "alg is a list": by_hand(head | {"alg": ["RS256"]}, claims),
        "HS256 with the public key": f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}",
        "HS256 with the client's secret": signed(claims, "oct", {"alg": "HS256"}, OctKey.import_key("s" * 32)),
        "another's key": signed(claims, key=STRANGER),
        "another's key by a known name": signed(claims, header={"kid": "rsa"}, key=STRANGER),
        "the key in the header": signed(claims, header={"kid": None, "jwk": public(STRANGER)}, key=STRANGER),
        "the key elsewhere": signed(claims, header={"jku": "https://evil.example/keys"}, key=STRANGER),
        "a path for a name": signed(claims, header={"kid": "../../../dev/null"}, key=STRANGER),
        "a key of another kind": signed(claims, header={"kid": "ec"}),
        "other claims": f"{start}.{other}.{end}",
        "another type": signed(claims, header={"typ": "at+jwt"}),
        "a logout token": signed(claims, header={"typ": "logout+jwt"}),
        "critical": by_hand(head | {"alg": "RS256", "crit": ["b64"], "b64": False}, claims, b"x"),
        "too long": signed(claims | {"x": "y" * 40_000}),
        "two parts": f"{start}.{middle}",
        "five parts": f"{good}.x.y",
        "no JSON": "!!!.!!!.!!!",
        "a header that is no object": by_hand(["RS256"], claims, b"x"),
        "claims that are no object": signed_list(),
        "beyond ASCII": good + "é",
        "empty": "",
    }


def signed_list():
    from joserfc import jws

    return jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, b'["x"]', KEYS["rsa"])


@pytest.mark.parametrize("attack", attacks({}))
async def test_tokens_that_are_not_the_providers(forge, remote, claims, attack):
    assert await refusal(shown(forge, remote, attacks(claims)[attack])) == Refusal.UNTRUSTED


async def test_the_signature_is_what_tells(forge, remote, claims, monkeypatch):
    """The negative control: were it not looked at, what another has signed would be believed."""
    token = signed(claims, header={"kid": "rsa"}, key=STRANGER)
    assert await refusal(shown(forge, remote, token)) == Refusal.UNTRUSTED
    monkeypatch.setattr(RSAKey, "get_op_key", lambda _key, _operation: STRANGER.public_key)
    await shown(forge, remote, token)


# ------------------------------------------------------------------------------------------------ keys, and their age
async def test_what_is_published_is_read_once_an_hour(forge, remote, claims, clock):
    for _ in range(3):
        await asyncio.gather(*(shown(forge, remote, signed(claims)) for _ in range(3)))
    assert [path for path in forge.asked if path != "/token"] == ["/.well-known/openid-configuration", "/keys"]
    clock.advance(FRESH_S + 1)
    await shown(forge, remote, signed(claims | {"exp": claims["exp"] + 4_000}))
    assert len([path for path in forge.asked if path != "/token"]) == 4


async def test_a_new_key_is_found_at_once_and_strangers_cost_one_look_a_minute(forge, remote, claims, clock):
    await shown(forge, remote, signed(claims))
    clock.advance(61)
    forge.documents["/keys"] = {"keys": [public(STRANGER)]}
    await shown(forge, remote, signed(claims, key=STRANGER))
    unknown = RSAKey.generate_key(2048, {"kid": "unknown"})
    for _ in range(5):
        assert await refusal(shown(forge, remote, signed(claims, key=unknown))) == Refusal.UNTRUSTED
    assert forge.asked.count("/keys") == 2
    clock.advance(61)
    for _ in range(5):
        await refusal(shown(forge, remote, signed(claims, key=unknown)))
    assert forge.asked.count("/keys") == 3
    # The one that is gone from the set is good no more.
    assert await refusal(shown(forge, remote, signed(claims))) == Refusal.UNTRUSTED


async def test_without_a_name_the_only_key_that_fits_is_taken(forge, remote, claims):
    token = signed(claims, header={"kid": None})
    await shown(forge, remote, token)
    forge.documents["/keys"]["keys"].append(public(STRANGER))
    remote._keys = None
    assert await refusal(shown(forge, remote, token)) == Refusal.UNTRUSTED


@pytest.mark.parametrize(
    "keys",
    [
        [public(KEYS["rsa"], use="enc")],
        [public(KEYS["rsa"], alg="PS256")],
        [{"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"}],
        [{"kty": "RSA", "kid": "rsa"}, "nonsense", None, {"kty": ["RSA"]}],
        [{"kty": "RSA", "kid": "rsa", "e": "AQAB", "n": base64.urlsafe_b64encode(b"\xff" * 128).decode()}],
        [],
    ],
)
async def test_keys_that_are_none(forge, remote, claims, keys):
    forge.documents["/keys"] = {"keys": keys}
    assert await refusal(shown(forge, remote, signed(claims))) == Refusal.UNTRUSTED


# ------------------------------------------------------------------------------------------------ what it publishes
@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://provider.example/realm/"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://provider.example/authorize"},
        {"authorization_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "http://169.254.169.254/"},
        {"jwks_uri": ["https://provider.example/keys"]},
        {"end_session_endpoint": "data:text/html,x"},
    ],
    ids=str,
)
async def test_a_document_that_cannot_be_right(forge, remote, wrong):
    forge.documents["/.well-known/openid-configuration"] |= wrong
    asking = remote.authorization("https://slice.example/callback", state="s", nonce="n", challenge="c")
    assert await refusal(asking) == Refusal.UNTRUSTED


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[" * 100_000, b"\xff"])
async def test_a_document_that_is_none(forge, remote, body):
    forge.documents["/.well-known/openid-configuration"] = body
    assert await refusal(remote.metadata()) == Refusal.UNTRUSTED


async def test_who_waits_for_a_provider_that_is_away_waits_once(forge, remote, clock):
    forge.away = True
    found = await asyncio.gather(*(remote.metadata() for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in found} == {UnavailableError}
    assert len(forge.asked) == 1
    forge.away = False
    clock.advance(6)
    await remote.metadata()


async def test_parameters_are_added_to_those_of_the_endpoint(remote):
    address = await remote.authorization("https://slice.example/callback", state="s", nonce="n", challenge="c")
    assert address.startswith(
        "https://provider.example/authorize?realm=x&response_type=code&client_id=telemetry-slice&"
    )


# ------------------------------------------------------------------------------------------------ what it is asked
async def test_the_secret_is_shown_in_the_way_the_provider_knows(forge, clock, claims):
    forge.documents["/token"] = {"id_token": signed(claims)}
    basic = "Basic " + base64.b64encode(b"telemetry-slice:s%2Fe%20c").decode()
    for methods, secret, header, form in (
        (None, "s/e c", basic, None),
        (["client_secret_post"], "s/e c", None, ["s/e c"]),
        (["client_secret_basic", "client_secret_post"], "s/e c", basic, None),
        (["none"], None, None, None),
    ):
        published = forge.documents["/.well-known/openid-configuration"]
        published.pop("token_endpoint_auth_methods_supported", None)
        if methods:
            published["token_endpoint_auth_methods_supported"] = methods
        remote = Remote(provider(client_secret=secret), forge, clock, monotonic=clock.monotonic)
        await remote.exchange("code", "https://slice.example/callback", "verifier", "n")
        asked = forge.asked.index("/token", len(forge.asked) - 3)
        assert forge.headers[asked].get("Authorization") == header
        assert forge.forms[asked].get("client_secret") == form
        assert (forge.forms[asked].get("client_id") is None) == (header is not None)
        assert forge.forms[asked]["code_verifier"] == ["verifier"]


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, {"error": "invalid_grant"}, Refusal.EXPIRED),
        (401, {"error": "invalid_client"}, Refusal.UNTRUSTED),
        (400, {"error": ["x"]}, Refusal.UNTRUSTED),
        (302, {}, Refusal.UNTRUSTED),
        (200, {}, Refusal.UNTRUSTED),
        (200, {"id_token": 7}, Refusal.UNTRUSTED),
        (200, b"x", Refusal.UNTRUSTED),
    ],
)
async def test_answers_without_a_token(forge, remote, status, answer, expected):
    forge.documents["/token"], forge.statuses["/token"] = answer, status
    assert await refusal(remote.exchange("code", "https://slice.example/callback", "verifier", "n")) == expected


async def test_a_provider_in_trouble_is_unavailable(forge, remote):
    forge.statuses["/token"] = 503
    with pytest.raises(UnavailableError):
        await remote.exchange("code", "https://slice.example/callback", "verifier", "n")


async def test_userinfo_adds_and_never_replaces(forge, remote, claims):
    forge.documents["/.well-known/openid-configuration"]["userinfo_endpoint"] = f"{ISSUER}/me"
    forge.documents["/me"] = {"sub": "ann", "email": "x@y.z", "email_verified": True, "groups": ["a"], "iss": "x"}
    _, told = await shown(forge, remote, signed(claims))
    assert told == claims | {"email": "x@y.z", "email_verified": True, "groups": ["a"]}
    assert forge.headers[-1]["Authorization"] == "Bearer access"
    # An e-mail of one and «verified» of the other would be a verified e-mail that nobody has verified.
    _, told = await shown(forge, remote, signed(claims | {"email": "ceo@y.z"}))
    assert told == claims | {"email": "ceo@y.z", "groups": ["a"]}
    forge.documents["/me"]["sub"] = "eve"
    assert await refusal(shown(forge, remote, signed(claims))) == Refusal.UNTRUSTED


# ------------------------------------------------------------------------------------------------ leaving
@pytest.fixture
def leaving(clock):
    now = clock.us // 1_000_000
    return {"iss": ISSUER, "aud": CLIENT, "sub": "ann", "sid": "s", "iat": now, "jti": "j", "events": {LOGOUT: {}}}


@pytest.mark.parametrize("header", [{"typ": "logout+jwt"}, {"typ": "JWT"}, {"typ": None}], ids=str)
async def test_a_logout_token_names_who_has_left(remote, leaving, header):
    assert await remote.ended(signed(leaving, header=header)) == ("ann", "s")
    assert await remote.ended(signed(leaving | {"sub": None}, header=header)) == (None, "s")
    assert await remote.ended(signed(leaving | {"sid": None}, header=header)) == ("ann", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": None},
        {"events": {}},
        {"events": {LOGOUT: True}},
        {"events": [LOGOUT]},
        {"nonce": "n"},
        {"sub": None, "sid": None},
        {"sub": None, "sid": ""},
        {"sid": 7},
        {"iss": "https://evil.example"},
        {"aud": "somebody else"},
        {"iat": None},
        {"iat": 1_000},
        {"exp": 1_000},
    ],
    ids=str,
)
async def test_logout_tokens_that_do_not_hold(remote, leaving, wrong):
    assert await refusal(remote.ended(signed(leaving | wrong))) == Refusal.UNTRUSTED
    assert await refusal(remote.ended(signed(leaving, header={"kid": "rsa"}, key=STRANGER))) == Refusal.UNTRUSTED


async def test_an_id_token_ends_nothing(remote, claims):
    assert await refusal(remote.ended(signed(claims | {"events": {LOGOUT: {}}}))) == Refusal.UNTRUSTED
