"""Forged, altered and misdirected access tokens: every one gets the same 401, whatever is wrong with it."""

import base64
import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey

from telemetry_slice.flow.access import new_signing_key
from telemetry_slice.model.tenancy import Role

PASSWORD = "correct horse battery"
EVERY = ["Ed25519", "EdDSA", "HS256", "HS512", "ES256"]


def encoded(part):
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Forge:
    """Makes tokens that are right but for what is said."""

    def __init__(self, signing_key, user_id, now_s):
        self.key = OKPKey.import_key(dict(signing_key))
        self.now_s = now_s
        self.header = {"alg": "Ed25519", "typ": "at+jwt", "kid": self.key.thumbprint()}
        self.claims = {
            "iss": "telemetry-slice",
            "aud": "telemetry-slice-api",
            "sub": user_id,
            "iat": now_s,
            "exp": now_s + 60,
        }

    def __call__(self, *, header=None, claims=None, key=None, body=None):
        head = {name: value for name, value in (self.header | (header or {})).items() if value is not None}
        told = {name: value for name, value in (self.claims | (claims or {})).items() if value is not None}
        content = json.dumps(told) if body is None else body
        key = key or self.key
        if isinstance(key, OKPKey):
            # By hand: the library would not write what it would not read.
            signed = f"{encoded(head)}.{encoded(content.encode())}"
            return f"{signed}.{encoded(key.private_key.sign(signed.encode()))}"
        registry = jws.JWSRegistry(algorithms=EVERY, strict_check_header=False)
        return jws.serialize_compact(head, content, key, registry=registry)

    def unsigned(self, **header):
        return f"{encoded(self.header | header)}.{encoded(self.claims)}."


def attacks(forge):
    """(what is wrong, token) of the whole corpus."""
    good, key, now_s = forge(), forge.key, forge.now_s
    head, body, signature = good.split(".")
    public = key.as_dict(private=False)
    other = OKPKey.import_key(dict(new_signing_key()))
    yield from ((f"alg {name}", forge.unsigned(alg=name)) for name in ("none", "None", "NONE", "nOnE", ""))
    yield "unsigned", f"{head}.{body}."
    for secret in (public["x"], json.dumps(public), forge.header["kid"]):
        for alg in ("HS256", "HS512"):
            yield f"{alg} with {secret}", forge(header={"alg": alg}, key=OctKey.import_key(secret))
    yield "ES256", forge(header={"alg": "ES256"}, key=ECKey.generate_key("P-256"))
    yield "another key", forge(key=other)
    yield "another key's signature", f"{head}.{body}.{forge(key=other).split('.')[2]}"
    yield "changed claims", f"{head}.{encoded(forge.claims | {'sub': 'root'})}.{signature}"
    yield "changed header", f"{encoded(forge.header | {'x': 1})}.{body}.{signature}"
    for typ in ("JWT", "at+jws", "", None, 1):
        yield f"typ {typ}", forge(header={"typ": typ})
    for name in (
        "../../../../dev/null", "/dev/null", "' OR '1'='1", "file:///etc/passwd", "", "x" * 2000, "\x00", "é",
        "console",
    ):  # fmt: skip
        yield f"kid {name[:20]!r}", forge(header={"kid": name})
        yield f"kid {name[:20]!r} and no signature", forge.unsigned(kid=name, alg="none")
    yield "no kid", forge(header={"kid": None})
    yield from ((f"kid {kid}", forge(header={"kid": kid})) for kid in (1, [], {}))
    own = other.as_dict(private=False)
    for name, value in (
        ("jku", "https://evil.example/jwks.json"), ("x5u", "https://evil.example/cert.pem"), ("jwk", own),
        ("x5c", ["MIIB"]),
    ):  # fmt: skip
        yield name, forge(header={name: value, "kid": other.thumbprint()}, key=other)
        yield f"{name} and our kid", forge(header={name: value}, key=other)
    yield "crit", forge(header={"crit": ["exp"], "exp": 1})
    for name in ("iss", "aud", "sub", "exp", "iat"):
        yield f"no {name}", forge(claims={name: None})
    for claims in (
        {"iss": "other"}, {"iss": ["telemetry-slice", "other"]}, {"aud": "other"}, {"aud": ["other"]}, {"aud": ""},
        {"sub": "nobody"}, {"sub": ""}, {"sub": 1}, {"sub": [forge.claims["sub"]]},
        {"exp": now_s}, {"exp": now_s - 1}, {"exp": 0}, {"exp": -1}, {"exp": "never"}, {"exp": str(now_s + 60)},
        {"iat": now_s + 3600, "exp": now_s + 7200}, {"nbf": now_s + 3600}, {"iat": "now"},
    ):  # fmt: skip
        yield f"{claims}", forge(claims=claims)
    yield "no object", forge(body="[]")
    yield "no JSON", forge(body="no")
    yield "oversized", forge(claims={"padding": "x" * 5000})
    yield "oversized header", forge(header={"padding": "x" * 5000})
    yield "deep header", f"{encoded(b'[' * 2500)}.{body}.{signature}"
    yield "truncated", good[:-2]
    yield "padded", good + "=="
    yield "four parts", good + "." + signature
    yield "five parts", f"{good}.{body}.{signature}"
    yield from ((text, text) for text in ("a.b.c", "..", ".", "", "tsk_", good.replace(".", "")))
    yield "a header of bytes", f"{encoded(bytes(range(255)))}.{body}.{signature}"


@pytest.fixture
async def forge(access, acme, signing_key, clock):
    ann = await access.people.add("ann@example.org", "Ann", PASSWORD, [(acme.no, Role.OWNER)])
    return Forge(signing_key, ann.user_id, clock.us // 1_000_000)


async def test_a_right_token_is_let_in(door, forge):
    """Else the corpus would prove nothing."""
    for token in (forge(), forge(claims={"aud": ["telemetry-slice-api", "other"]})):
        answer = await door.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["user"]["id"]) == (200, forge.claims["sub"])


async def test_every_attack_is_refused_in_the_same_words(door, forge):
    nobody = await door.get("/api/v1/me")
    tried, wrong = 0, []
    for name, token in attacks(forge):
        tried += 1
        answer = await door.get("/api/v1/me", headers={"Authorization": b"Bearer " + token.encode()})
        same = answer.content == nobody.content and answer.headers.items() == nobody.headers.items()
        if answer.status_code != 401 or not same:
            wrong.append((name, answer.status_code, answer.text))
    assert wrong == []
    print(f"{tried} tokens refused")
    assert tried > 70


async def test_a_signature_that_is_not_looked_at_would_be_seen(door, forge, monkeypatch):
    """The negative control: the corpus finds a verifier that believes what it reads."""
    believed = type("Token", (), {"header": forge.header, "claims": forge.claims})
    monkeypatch.setattr("telemetry_slice.flow.access.tokens.jwt.decode", lambda *_args, **_more: believed)
    token = dict(attacks(forge))["changed claims"]
    assert (await door.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})).status_code == 200
