"""Access tokens: JWTs (RFC 9068) signed with Ed25519, and nothing else accepted."""

from __future__ import annotations

import secrets
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
    """What an access token says; `subject` is a user id or `CONSOLE`."""

    subject: str
    tenant_id: str | None


def new_signing_key() -> dict[str, str]:
    """A fresh private key as a JWK."""
    return {name: str(value) for name, value in OKPKey.generate_key("Ed25519").as_dict(private=True).items()}


class Signer:
    """Signs and verifies access tokens with one key."""

    def __init__(self, signing_key: Mapping[str, str]) -> None:
        self._key = OKPKey.import_key({name: signing_key[name] for name in ("kty", "crv", "x", "d")})
        self._kid = self._key.thumbprint()

    def sign(
        self,
        subject: str,
        now_s: int,
        *,
        tenant_id: str | None = None,
        role: str | None = None,
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
        header = {"alg": ALGORITHM, "kid": self._kid, "typ": TYPE}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def verify(self, token: str, now_s: int) -> Claims | None:
        """The claims of a valid token, None for anything else."""
        if len(token) > MAX_TOKEN_CHARS or not token.isascii() or token.count(".") != 2:
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
        header, claims = decoded.header, decoded.claims
        if header.get("typ") != TYPE or header.get("kid") != self._kid:
            return None
        if claims["sub"] == CONSOLE and claims["exp"] - claims["iat"] > CONSOLE_LIFETIME_S:
            return None
        tenant_id = claims.get("tenant")
        return Claims(claims["sub"], tenant_id if isinstance(tenant_id, str) else None)

    def jwks(self) -> dict[str, Any]:
        """The public key as a JWK set."""
        public = self._key.as_dict(private=False)
        return {"keys": [public | {"kid": self._kid, "use": "sig", "alg": ALGORITHM}]}


def console_token(signing_key: Mapping[str, str], now_s: int, tenant_id: str | None = None) -> str:
    """A short-lived token for the person at the data folder's own machine, acting in `tenant_id` where one is given."""
    return Signer(signing_key).sign(CONSOLE, now_s, tenant_id=tenant_id, lifetime_s=CONSOLE_LIFETIME_S)
