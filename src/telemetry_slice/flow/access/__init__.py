"""Who calls: keys, access tokens, sessions, accounts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.peppers import Peppers
from ...model.tenancy import Console, KeyPrincipal, Principal, User
from ...model.times import SECOND_US
from ...ports.edge import Clock
from ...ports.post import Post
from ...ports.registry import Registry
from .dashboard_links import DashboardLinkDesk
from .enrolment import EnrolmentDesk
from .expiry import ExpiryWatch
from .keys import UNAUTHENTICATED_DETAIL, WARNING_US, KeyRing, unauthenticated
from .links import OneTimeLinks
from .oidc import AWAY_S, Arrival, ProviderSignIns
from .passwords import MAX_PASSWORD, MIN_PASSWORD
from .people import People
from .profile import Profile, ReusedTokenError, SignIn, Tokens
from .provider import Provider, Refusal, RefusedError, Remote
from .provisioning import Provisioner
from .second_factor import SecondFactors
from .signing import Signers
from .texts import LINK_PREFIX, PREFIX
from .tokens import CONSOLE, Signer, console_token, kid_of, new_signing_key

__all__ = [
    "AWAY_S",
    "MAX_PASSWORD",
    "MIN_PASSWORD",
    "PREFIX",
    "UNAUTHENTICATED_DETAIL",
    "Access",
    "Arrival",
    "ExpiryWatch",
    "Profile",
    "Provider",
    "Refusal",
    "RefusedError",
    "Remote",
    "ReusedTokenError",
    "Secrets",
    "SignIn",
    "Signers",
    "Tokens",
    "console_token",
    "new_signing_key",
    "signers_of",
]


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the installation keeps to itself.

    Attributes:
        pepper: keys the HMAC of keys; without it no key can be checked or forged.
        other_peppers: are believed as well: earlier ones, or the next one.
        signing_key: a private Ed25519 key, as a JWK: that of the console, and the first one of access tokens.
    """

    pepper: bytes
    signing_key: Mapping[str, str]
    other_peppers: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return "Secrets(…)"

    @property
    def peppers(self) -> Peppers:
        """All of them."""
        return Peppers(self.pepper, self.other_peppers)


def signers_of(
    secrets: Secrets, registry: Registry, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic
) -> Signers:
    """The keys of access tokens."""
    first = Signer(secrets.signing_key)
    return Signers(registry.signing_in.signing_keys, secrets.peppers, first, clock, monotonic=monotonic)


class Access:
    """Turns credentials into principals, and hands credentials out.

    Attributes:
        keys: issue, rotate, revoke, forget.
        provisioner: many devices at once, each with its key.
        enrolment: devices that register themselves.
        dashboard_links: what opens one dashboard for whoever has it.
        people: sign-in, sessions, tokens, accounts, first run.
        links: invitations, and passwords to be set anew.
        second_factors: codes beside the password.
        oidc: signing in with providers of OpenID Connect.
        signers: the keys of access tokens.
    """

    def __init__(
        self,
        secrets: Secrets,
        registry: Registry,
        clock: Clock,
        *,
        post: Post | None = None,
        public_url: str | None = None,
        providers: Sequence[Remote] = (),
        key_warning_us: int = WARNING_US,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`post` sends links, which then begin with `public_url`; people sign in with `providers`, too."""
        self._tenants = registry.tenants
        self._sessions = registry.sessions
        self._clock = clock
        self._console = Signer(secrets.signing_key)
        self.signers = signers_of(secrets, registry, clock, monotonic=monotonic)
        self.keys = KeyRing(
            registry.keys,
            registry.credentials.under_peppers,
            secrets.peppers,
            clock,
            warning_us=key_warning_us,
            monotonic=monotonic,
        )
        self.provisioner = Provisioner(registry.credentials.provisioning, self.keys, clock)
        self.enrolment = EnrolmentDesk(registry.credentials.enrolment, self.keys, clock, monotonic=monotonic)
        self.dashboard_links = DashboardLinkDesk(registry.credentials.dashboard_links, clock, monotonic=monotonic)
        self.second_factors = SecondFactors(
            registry.signing_in.second_factors, secrets.peppers, clock, monotonic=monotonic
        )
        self.people = People(registry, self.signers, self.second_factors, clock, monotonic=monotonic)
        self.links = OneTimeLinks(registry, self.people, clock, post=post, public_url=public_url, monotonic=monotonic)
        self.oidc = ProviderSignIns(
            providers, registry, self.people, secrets.peppers, clock, public_url=public_url, monotonic=monotonic
        )

    def cached_key(self, token: str, address: str | None = None) -> KeyPrincipal | None:
        """The principal of a key that was verified within the last seconds, None if `key` must be asked.

        Costs microseconds and touches nothing. `address` is the caller's, for keys that are bound to some.
        Raises SliceError UNAUTHENTICATED if the key may not be used from `address`.
        """
        return self.keys.cached(token, address)

    async def key(self, token: str, address: str | None = None) -> KeyPrincipal:
        """The principal of a key.

        Raises:
            SliceError: UNAUTHENTICATED, whatever the reason.
            UnavailableError: the registry cannot be reached and the key was not verified lately.
        """
        return await self.keys.find(token, address)

    async def certificate(self, thumbprint: bytes, address: str | None = None) -> KeyPrincipal:
        """The device that a certificate (its SHA-256) stands for; the raises are those of `key`."""
        return await self.keys.certificate(thumbprint, address)

    async def bearer(self, token: str, address: str | None = None) -> Principal:
        """The principal of a key, an access token or a link to a dashboard. Raises SliceError UNAUTHENTICATED."""
        if token.startswith(PREFIX):
            return await self.key(token, address)
        if token.startswith(LINK_PREFIX):
            return await self.dashboard_links.principal(token, address)
        kid, now_s = kid_of(token), self._clock.now_us() // SECOND_US
        if kid is None:
            raise unauthenticated()
        if kid == self._console.kid:
            claims = self._console.verify(token, now_s)
            if claims is not None and claims.subject == CONSOLE:
                return await self._at_the_console(claims.tenant_id)
        signer = await self.signers.named(kid)
        claims = None if signer is None else signer.verify(token, now_s)
        # Only the folder itself speaks for its console.
        if claims is None or claims.subject == CONSOLE:
            raise unauthenticated()
        return (await self.people.by_claims(claims)).user

    async def _at_the_console(self, tenant_id: str | None) -> Console:
        tenant = None if tenant_id is None else await self._tenants.get(tenant_id)
        if tenant_id is not None and tenant is None:
            raise unauthenticated()
        return Console(tenant)

    async def session(self, token: str, address: str | None = None, user_agent: str | None = None) -> User:
        """The user of a browser session, who calls from there. Raises SliceError UNAUTHENTICATED."""
        return (await self.people.by_session(token, address, user_agent)).user

    async def jwks(self) -> dict[str, Any]:
        """The public keys that access tokens are signed with."""
        return await self.signers.jwks()

    async def tidy(self) -> None:
        """What is worth doing every minute: write down which keys were used, drop sessions long over."""
        await self.keys.write_down_use()
        await self._sessions.forget_expired(self._clock.now_us())

    def close(self) -> None:
        """End the threads."""
        self.people.close()
