"""One provider of OpenID Connect: what it publishes, what it is asked, and whether what it signed can be believed."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hmac import compare_digest
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ...model.errors import UnavailableError
from ...model.tenancy import Role
from ...model.times import SECOND_US
from ...ports.edge import Clock
from ...ports.outbound import Answer, Ask, Outbound

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"},
)
"""What a token may be signed with: with keys that only the provider has."""
FRESH_S = 3600.0
STRANGER_S = 60.0
"""How often, at most, a key that is not known makes the provider's keys be read before their time."""
FAILED_S = 5.0
"""For so long a provider that did not answer is not asked again what it publishes."""
LEEWAY_S = 60
LOGOUT_S = 300
MAX_TOKEN_CHARS = 32_768
_MAX_KEYS = 100
_MIN_RSA_BITS = 2048
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_KINDS: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider as the settings have it (`settings.OidcProvider`).

    Attributes:
        roles: what each group is: (tenant id, role).
        tenants: ids of those whose memberships it decides.
        admins: the group of administrators of the platform; None = it does not decide that.
    """

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: Sequence[str]
    groups_claim: str
    roles: Mapping[str, Sequence[tuple[str, Role]]]
    tenants: frozenset[str]
    tenant: str | None = None
    admins: str | None = None
    link_by_email: bool = False
    allow_private: bool = False


class Refusal(StrEnum):
    """Why nobody is signed in, as far as the person may know; the page says it in words."""

    DENIED = "denied"
    EXPIRED = "expired"
    UNTRUSTED = "untrusted"
    UNAVAILABLE = "unavailable"
    NO_ROLE = "no_role"
    TOO_MANY = "too_many"


class RefusedError(Exception):
    """Nobody is signed in. The text is for the log."""

    def __init__(self, refusal: Refusal, why: str) -> None:
        super().__init__(why)
        self.refusal = refusal


def _untrusted(why: str) -> RefusedError:
    return RefusedError(Refusal.UNTRUSTED, why)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider publishes of itself, as far as it is used."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    says_issuer: bool
    secret_in_body: bool


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of the provider; `alg` None = it signs with whatever fits."""

    kid: str | None
    alg: str | None
    key: RSAKey | ECKey | OKPKey


class Remote:
    """A provider, asked over HTTP. Whatever it says is checked.

    Every method raises UnavailableError when it cannot be reached, RefusedError when it is not to be believed.
    """

    def __init__(
        self, provider: Provider, outbound: Outbound, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.provider = provider
        self._outbound = outbound
        self._clock = clock
        self._now = monotonic
        self._reading = asyncio.Lock()
        self._failed: tuple[float, Exception] | None = None
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, Sequence[PublicKey]] | None = None

    # ------------------------------------------------------------------------------------------------ what it publishes
    async def metadata(self) -> Metadata:
        """As of an hour ago at most."""
        if self._metadata is None or self._now() - self._metadata[0] > FRESH_S:
            async with self._reading:
                if self._metadata is None or self._now() - self._metadata[0] > FRESH_S:
                    self._metadata = self._now(), await self._published(self._read_metadata)
        return self._metadata[1]

    async def keys(self, fresh_s: float = FRESH_S) -> Sequence[PublicKey]:
        """The keys that it signs with, as of `fresh_s` ago at most."""
        metadata = await self.metadata()
        if self._keys is None or self._now() - self._keys[0] > fresh_s:
            async with self._reading:
                if self._keys is None or self._now() - self._keys[0] > fresh_s:
                    self._keys = self._now(), await self._published(lambda: self._read_keys(metadata))
        return self._keys[1]

    async def _published(self, read: Callable[[], Any]) -> Any:
        """Read, unless that has failed a moment ago: everybody who signs in would wait for it, one after another."""
        if self._failed is not None and self._now() - self._failed[0] < FAILED_S:
            raise self._failed[1]
        try:
            found = await read()
        except (UnavailableError, RefusedError) as error:
            self._failed = self._now(), error
            raise
        self._failed = None
        return found

    async def _read_metadata(self) -> Metadata:
        issuer = self.provider.issuer
        document = await self._document(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise _untrusted(f"the issuer calls itself {document.get('issuer')!r}, not {issuer!r}")
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Metadata(
            authorization_endpoint=self._address(document, "authorization_endpoint"),
            token_endpoint=self._address(document, "token_endpoint"),
            jwks_uri=self._address(document, "jwks_uri"),
            userinfo_endpoint=self._address(document, "userinfo_endpoint") if "userinfo_endpoint" in document else None,
            end_session_endpoint=(
                self._address(document, "end_session_endpoint") if "end_session_endpoint" in document else None
            ),
            says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
            secret_in_body=isinstance(methods, list) and "client_secret_basic" not in methods,
        )

    def _address(self, document: Claims, name: str) -> str:
        address = document.get(name)
        schemes = {"https", "http"} if self.provider.allow_private else {"https"}
        if not isinstance(address, str) or not address.isprintable() or urlsplit(address).scheme not in schemes:
            raise _untrusted(f"{name} is no address: {address!r}")
        return address

    async def _read_keys(self, metadata: Metadata) -> Sequence[PublicKey]:
        listed = (await self._document(metadata.jwks_uri)).get("keys")
        if not isinstance(listed, list):
            raise _untrusted("the provider's keys are no JWK set")
        keys = [_key_of(jwk) for jwk in listed[:_MAX_KEYS] if isinstance(jwk, dict)]
        return [key for key in keys if key is not None]

    async def _document(self, url: str, **headers: str) -> dict[str, Any]:
        answer = await self._ask(Ask("GET", url, {"Accept": "application/json"} | headers))
        if answer.status != 200:
            raise _untrusted(f"{url} answers {answer.status}")
        return _object(answer)

    async def _ask(self, ask: Ask) -> Answer:
        answer = await self._outbound.ask(
            Ask(ask.method, ask.url, ask.headers, ask.body, allow_private=self.provider.allow_private)
        )
        if answer.status >= 500:
            raise UnavailableError(f"{ask.url} answers {answer.status}")
        return answer

    # ------------------------------------------------------------------------------------------------ what it is asked
    async def authorization(self, redirect_uri: str, *, state: str, nonce: str, challenge: str) -> str:
        """Where the browser goes to sign in."""
        metadata = await self.metadata()
        return with_query(
            metadata.authorization_endpoint,
            response_type="code",
            client_id=self.provider.client_id,
            redirect_uri=redirect_uri,
            scope=" ".join(self.provider.scopes),
            state=state,
            nonce=nonce,
            code_challenge=challenge,
            code_challenge_method="S256",
        )

    async def exchange(self, code: str, redirect_uri: str, verifier: str, nonce: str) -> tuple[str, Claims]:
        """The id token that a code is good for, and its verified claims, those of the userinfo endpoint besides."""
        metadata, provider = await self.metadata(), self.provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if provider.client_secret is None or metadata.secret_in_body:
            form["client_id"] = provider.client_id
            if provider.client_secret is not None:
                form["client_secret"] = provider.client_secret
        else:
            # RFC 6749, 2.3.1: as a form would have them.
            both = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
        answer = await self._ask(Ask("POST", metadata.token_endpoint, headers, urlencode(form).encode()))
        tokens = _object(answer)
        if answer.status != 200:
            error = tokens.get("error")
            refusal = Refusal.EXPIRED if error == "invalid_grant" else Refusal.UNTRUSTED
            raise RefusedError(refusal, f"the token endpoint answers {answer.status} {error!r}")
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise _untrusted("there is no id token")
        claims = await self._verified(id_token, {"JWT"})
        told = claims.get("nonce")
        if not isinstance(told, str) or not compare_digest(told.encode(), nonce.encode()):
            raise _untrusted("the id token has another nonce")
        return id_token, {**await self._userinfo(metadata, claims, access_token), **claims}

    async def _userinfo(self, metadata: Metadata, claims: Claims, access_token: object) -> Claims:
        """What the provider says of the person besides, where the id token does not say it all."""
        if {"email", self.provider.groups_claim} <= claims.keys() or metadata.userinfo_endpoint is None:
            return {}
        if not isinstance(access_token, str) or not access_token.isprintable() or not access_token.isascii():
            return {}
        told = await self._document(metadata.userinfo_endpoint, Authorization=f"Bearer {access_token}")
        if told.get("sub") != claims["sub"]:
            raise _untrusted("the userinfo endpoint speaks of somebody else")
        # Whether an e-mail is verified is said where the e-mail is.
        return {name: value for name, value in told.items() if not ("email" in claims and name == "email_verified")}

    async def end_session(self, id_token: str | None, back_to: str) -> str | None:
        """Where the browser goes to sign out there, too; None if the provider has no such place."""
        endpoint = (await self.metadata()).end_session_endpoint
        if endpoint is None:
            return None
        hint = {} if id_token is None else {"id_token_hint": id_token}
        return with_query(endpoint, client_id=self.provider.client_id, post_logout_redirect_uri=back_to, **hint)

    # ------------------------------------------------------------------------------------------------ what it signed
    async def ended(self, logout_token: str) -> tuple[str | None, str | None]:
        """(subject, session) that have ended there, one of them at least (OpenID Connect Back-Channel Logout 1.0)."""
        claims = await self._verified(logout_token, {"JWT", "LOGOUT+JWT"}, essential="iat")
        events, subject, session = claims.get("events"), claims.get("sub"), claims.get("sid")
        if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT), dict) or "nonce" in claims:
            raise _untrusted("this is no logout token")
        if claims["iat"] < self._now_s() - LOGOUT_S:
            raise _untrusted("the logout token is old")
        told = [each for each in (subject, session) if each is not None]
        if not told or not all(isinstance(each, str) and each for each in told):
            raise _untrusted("the logout token names nobody")
        return subject, session

    def _now_s(self) -> int:
        return self._clock.now_us() // SECOND_US

    async def _verified(self, token: str, types: set[str], *, essential: str = "sub") -> Claims:
        """The claims of a token that the provider has signed for us, not long ago."""
        header = _header(token)
        if str(header.get("typ", "JWT")).upper() not in types:
            raise _untrusted(f"a token of type {header.get('typ')!r}")
        alg = header.get("alg")
        if not isinstance(alg, str) or alg not in ALGORITHMS:
            raise _untrusted(f"a token signed with {alg!r}")
        key = await self._key(header.get("kid"), alg)
        try:
            decoded = jwt.decode(token, key, registry=JWSRegistry(algorithms=[alg], strict_check_header=False))
            jwt.JWTClaimsRegistry(
                now=self._now_s(),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self.provider.issuer},
                aud={"essential": True, "value": self.provider.client_id},
                exp={"essential": essential == "sub"},
                iat={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise _untrusted(f"a token that does not hold: {error}") from error
        claims = decoded.claims
        audience, party = claims["aud"], claims.get("azp")
        if party not in (None, self.provider.client_id) or (
            isinstance(audience, list) and len(audience) > 1 and party is None
        ):
            raise _untrusted(f"a token for somebody else, too: {audience!r}, {party!r}")
        subject = claims.get("sub")
        if (subject is not None or essential == "sub") and not (
            isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isprintable()
        ):
            raise _untrusted(f"a token of nobody: {subject!r}")
        return claims

    async def _key(self, kid: object, alg: str) -> RSAKey | ECKey | OKPKey:
        """The one that a token says it is signed with; where it says nothing, the only one that fits."""
        for fresh_s in (FRESH_S, STRANGER_S):
            fitting = [
                each
                for each in await self.keys(fresh_s)
                if each.alg in {None, alg} and (kid is None or each.kid == kid) and _fits(each.key, alg)
            ]
            if len(fitting) == 1:
                return fitting[0].key
        raise _untrusted(f"a token signed with a key that is not published: {kid!r}, {alg}")


def with_query(address: str, **parameters: str) -> str:
    """The address with parameters added to its query."""
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(parameters)}"


def _object(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _untrusted(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _untrusted("not a JSON object")
    return document


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARS or not token.isascii() or token.count(".") != 2:
        raise _untrusted("not a signed token")
    encoded = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError) as error:
        raise _untrusted("not a token with a header") from error
    if not isinstance(header, dict):
        raise _untrusted("not a token with a header")
    return header


def _key_of(jwk: Mapping[str, Any]) -> PublicKey | None:
    """A key that signatures are verified with; None for every other, and for one that is too weak."""
    kind, kid, alg = _KINDS.get(str(jwk.get("kty"))), jwk.get("kid"), jwk.get("alg")
    if kind is None or jwk.get("use", "sig") != "sig":
        return None
    public = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    try:
        if kind is RSAKey and _bits(str(public["n"])) < _MIN_RSA_BITS:
            return None
        key = kind.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return PublicKey(kid if isinstance(kid, str) else None, alg if isinstance(alg, str) else None, key)


def _bits(modulus: str) -> int:
    return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()


def _fits(key: RSAKey | ECKey | OKPKey, alg: str) -> bool:
    """Whether a key of this kind signs with `alg`."""
    match key:
        case RSAKey():
            return alg[:2] in {"RS", "PS"}
        case ECKey():
            return alg[:2] == "ES"
        case _:
            return alg == "Ed25519"
