"""Access tokens: JWTs (RFC 9068) signed with Ed25519, and nothing else accepted."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"
TYPE = "at+jwt"
ISSUER = "telemetry-slice"
AUDIENCE = "telemetry-slice-api"
LIFETIME_S = 900
CONSOLE = "console"
CONSOLE_LIFETIME_S = 300
MAX_TOKEN_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says; `subject` is a user id or `CONSOLE`, `family` the sign-in that it came of."""

    subject: str
    tenant_id: str | None
    family: str | None


def new_signing_key() -> dict[str, str]:
    """A fresh private key as a JWK."""
    return {name: str(value) for name, value in OKPKey.generate_key("Ed25519").as_dict(private=True).items()}


def kid_of(token: str) -> str | None:
    """Which key a token says that it was signed with, to choose among one's own; None for what is no token at all."""
    if len(token) > MAX_TOKEN_CHARS or not token.isascii() or token.count(".") != 2:
        return None
    encoded = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return None
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) else None


class Signer:
    """Signs and verifies access tokens with one key.

    Attributes:
        kid: the key's name in tokens, its RFC 7638 thumbprint.
    """

    def __init__(self, signing_key: Mapping[str, str]) -> None:
        self._key = OKPKey.import_key({name: signing_key[name] for name in ("kty", "crv", "x", "d")})
        self.kid = self._key.thumbprint()

    def private_jwk(self) -> dict[str, str]:
        """The key itself."""
        return {name: str(value) for name, value in self._key.as_dict(private=True).items()}

    def sign(
        self,
        subject: str,
        now_s: int,
        *,
        tenant_id: str | None = None,
        role: str | None = None,
        family: str | None = None,
        lifetime_s: int = LIFETIME_S,
    ) -> str:
        """A token for `subject` from `now_s` (seconds since the epoch) on."""
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now_s,
            "exp": now_s + lifetime_s,
            "jti": secrets.token_urlsafe(12),
        }
        if tenant_id is not None:
            claims["tenant"] = tenant_id
        if role is not None:
            claims["role"] = role
        if family is not None:
            claims["sid"] = family
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": TYPE}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def verify(self, token: str, now_s: int) -> Claims | None:
        """The claims of a valid token, None for anything else."""
        if kid_of(token) != self.kid:
            return None
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            jwt.JWTClaimsRegistry(
                now=now_s,
                iss={"essential": True, "value": ISSUER},
                aud={"essential": True, "value": AUDIENCE},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError):
            return None
        claims = decoded.claims
        if decoded.header.get("typ") != TYPE or not isinstance(claims["sub"], str):
            return None
        if claims["sub"] == CONSOLE and claims["exp"] - claims["iat"] > CONSOLE_LIFETIME_S:
            return None
        tenant_id, family = claims.get("tenant"), claims.get("sid")
        return Claims(
            claims["sub"],
            tenant_id if isinstance(tenant_id, str) else None,
            family if isinstance(family, str) else None,
        )

    def public_jwk(self) -> dict[str, Any]:
        """The public key as others verify with it."""
        return self._key.as_dict(private=False) | {"kid": self.kid, "use": "sig", "alg": ALGORITHM}


def console_token(signing_key: Mapping[str, str], now_s: int, tenant_id: str | None = None) -> str:
    """A short-lived token for the person at the data folder's own machine, acting in `tenant_id` where one is given."""
    return Signer(signing_key).sign(CONSOLE, now_s, tenant_id=tenant_id, lifetime_s=CONSOLE_LIFETIME_S)
