"""Signing in with a provider of OpenID Connect: there, back, and what the person is here from then on.

The authorization code flow with PKCE. What is known between the two visits of the browser is sealed into a cookie of
its own, so that what comes back is taken from the browser that went, and from nobody else.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import structlog

from ...model.errors import Code, SliceError, UnavailableError
from ...model.peppers import Peppers
from ...model.tenancy import Role, Tenant
from ...model.times import SECOND_US
from ...ports.accounts import Account
from ...ports.edge import Clock
from ...ports.identities import Identity, Moved, ProvidedSignIn, Standing
from ...ports.registry import Registry
from .passwords import Brake
from .people import People
from .profile import Profile, SignIn
from .provider import Claims, Provider, Refusal, RefusedError, Remote
from .sealing import Seal

log = structlog.get_logger()

AWAY_S = 600
"""For so long somebody may stay at the provider."""
START = "/"
_PLACE = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,500}")
_PASSING = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True, slots=True)
class Change:
    """A role that was gained, lost or changed by signing in."""

    tenant: Tenant
    before: Role | None
    now: Role | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody has come back from a provider.

    Attributes:
        sign_in: None if the person has no role here.
        profile: who it is; None if no account was made.
        name: what the provider calls the person.
        changes: the roles that were not as the provider has them.
        platform_admin: whether the person administers the platform from now on; None = as before.
        came: "made" with a new account, "linked" to one that existed, None = known.
    """

    sign_in: SignIn | None
    profile: Profile | None
    name: str
    next: str = START
    changes: Sequence[Change] = ()
    platform_admin: bool | None = None
    came: str | None = None


def place(next_: str | None) -> str:
    """Where on the page to go on: a path within it, never an address elsewhere."""
    if next_ is None or not _PLACE.fullmatch(next_) or next_.startswith("/api/"):
        return START
    return next_


class ProviderSignIns:
    """Sends people to providers and takes them in when they come back."""

    def __init__(
        self,
        providers: Sequence[Remote],
        registry: Registry,
        people: People,
        peppers: Peppers,
        clock: Clock,
        *,
        public_url: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.providers = [remote.provider for remote in providers]
        self._remotes = {remote.provider.name: remote for remote in providers}
        self._accounts = registry.accounts
        self._tenants = registry.tenants
        self._identities = registry.signing_in.identities
        self._people = people
        self._clock = clock
        self._public_url = public_url
        self._state = Seal(peppers, "states of signing in")
        self._tokens = Seal(peppers, "id tokens")
        self._brake = Brake(30, 60.0, monotonic)

    def _remote(self, name: str) -> Remote:
        """Raises SliceError NOT_FOUND."""
        remote = self._remotes.get(name)
        if remote is None:
            raise SliceError(Code.NOT_FOUND, "There is no such provider.")
        return remote

    def _at(self, asked_at: str, path: str) -> str:
        """An address of ours; `asked_at` is the server's as the browser used it, for want of a public one."""
        return f"{(self._public_url or asked_at).rstrip('/')}{path}"

    def _callback(self, name: str, asked_at: str) -> str:
        return self._at(asked_at, f"/api/v1/auth/oidc/{name}/callback")

    # ------------------------------------------------------------------------------------------------ there
    async def start(self, name: str, next_: str | None, asked_at: str) -> tuple[str, str]:
        """Where the browser goes to sign in, and the cookie that it takes along, which lasts `AWAY_S`.

        Raises SliceError NOT_FOUND if there is no such provider, RefusedError if it cannot be asked.
        """
        remote = self._remote(name)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        try:
            address = await remote.authorization(
                self._callback(name, asked_at), state=state, nonce=nonce, challenge=challenge
            )
        except UnavailableError as error:
            raise RefusedError(Refusal.UNAVAILABLE, str(error)) from error
        until = self._clock.now_us() // SECOND_US + AWAY_S
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "next": place(next_), "until": until}
        return address, self._state.close(json.dumps(kept), name)

    # ------------------------------------------------------------------------------------------------ back
    async def finish(
        self,
        name: str,
        told: Mapping[str, str],
        cookie: str | None,
        *,
        asked_at: str,
        address: str | None,
        user_agent: str | None,
    ) -> Arrival:
        """Take somebody in who comes back with `told`, the parameters of the address, and with the cookie of `start`.

        Raises SliceError NOT_FOUND if there is no such provider, RefusedError for whatever does not hold.
        """
        remote = self._remote(name)
        provider = remote.provider
        kept = self._kept(name, told.get("state"), cookie)
        try:
            await self._check_answer(remote, told)
            try:
                self._brake.take(address or "unknown")
            except SliceError as error:
                raise RefusedError(Refusal.TOO_MANY, str(error)) from error
            id_token, claims = await remote.exchange(
                told["code"], self._callback(name, asked_at), kept["verifier"], kept["nonce"]
            )
            self._brake.give_back(address or "unknown")
        except UnavailableError as error:
            raise RefusedError(Refusal.UNAVAILABLE, str(error)) from error
        arrival = await self._take_in(provider, claims)
        if arrival.profile is None or not (arrival.profile.memberships or arrival.profile.user.platform_admin):
            return arrival
        user_id = arrival.profile.user.user_id
        sign_in = await self._people.sign_in(user_id, address, user_agent, tenant_id=provider.tenant)
        family = sign_in.profile.user.family or ""
        session = claims.get("sid")
        await self._identities.remember(
            ProvidedSignIn(
                family,
                user_id,
                name,
                session if isinstance(session, str) else None,
                self._tokens.close(id_token, family),
            )
        )
        return Arrival(
            sign_in,
            sign_in.profile,
            arrival.name,
            kept["next"],
            arrival.changes,
            arrival.platform_admin,
            arrival.came,
        )

    def _kept(self, name: str, state: str | None, cookie: str | None) -> dict[str, Any]:
        """What the browser has taken along. Raises RefusedError unless this is the browser that went, in time."""
        opened = None if cookie is None else self._state.open(cookie, name)
        if opened is None or state is None:
            raise RefusedError(Refusal.EXPIRED, "the browser brings no cookie of ours, or no state")
        kept: dict[str, Any] = json.loads(opened)
        if kept["until"] < self._clock.now_us() // SECOND_US:
            raise RefusedError(Refusal.EXPIRED, "the browser was away for too long")
        if not hmac.compare_digest(kept["state"].encode(), state.encode()):
            raise RefusedError(Refusal.EXPIRED, "the browser went with another state")
        return kept

    async def _check_answer(self, remote: Remote, told: Mapping[str, str]) -> None:
        """RFC 9207: an answer is of the provider that was asked. Raises RefusedError, also where the answer is no."""
        metadata, issuer = await remote.metadata(), told.get("iss")
        if issuer != remote.provider.issuer and (issuer is not None or metadata.says_issuer):
            raise RefusedError(Refusal.UNTRUSTED, f"the answer is of another issuer: {issuer!r}")
        error = told.get("error")
        if error is not None:
            refusal = Refusal.DENIED if error == "access_denied" else Refusal.UNTRUSTED
            raise RefusedError(Refusal.UNAVAILABLE if error in _PASSING else refusal, f"the provider says {error!r}")
        if not told.get("code"):
            raise RefusedError(Refusal.UNTRUSTED, "the provider gives no code")

    # ------------------------------------------------------------------------------------------------ who it is here
    async def _take_in(self, provider: Provider, claims: Claims) -> Arrival:
        """Find or make the account, and let its roles be those of the provider's groups."""
        identity = Identity(provider.issuer, claims["sub"])
        email, name = _email(claims), _name(claims)
        granted, tenants, admin = await self._granted(provider, claims)
        user_id, came = await self._identities.find(identity), None
        if user_id is None:
            user_id, came = await self._linked(provider, identity, claims), "linked"
        if user_id is None:
            if not (admin or any(granted.values())):
                return Arrival(None, None, email)
            made = Account(secrets.token_hex(12), email, name, "", platform_admin=False)
            user_id, came = made.user_id, "made"
            if not await self._identities.enrol(identity, made, self._clock.now_us()):
                # The same person, at the same moment.
                user_id, came = await self._identities.find(identity), None
        found = None if user_id is None else await self._accounts.by_id(user_id)
        if user_id is None or found is None:
            return Arrival(None, None, email)
        own = {} if found[0].password else {"email": email, "name": name}
        roles = {tenants[tenant_id].no: role for tenant_id, role in granted.items()}
        moved = await self._identities.follow(user_id, Standing(roles, admin, **own))
        self._people.forget_profiles()
        profile = await self._people.profile(user_id, provider.tenant)
        return Arrival(
            None, profile, email, changes=_changes(moved, tenants), platform_admin=moved.platform_admin, came=came
        )

    async def _granted(
        self, provider: Provider, claims: Claims
    ) -> tuple[dict[str, Role | None], dict[str, Tenant], bool | None]:
        """The role in each tenant that the provider decides about, these tenants, and whether the person administers
        the platform (None: the provider does not decide that).
        """
        told = claims.get(provider.groups_claim)
        groups = {each for each in (told if isinstance(told, list) else [told]) if isinstance(each, str)}
        strength = list(Role)
        granted: dict[str, Role | None] = {}
        tenants: dict[str, Tenant] = {}
        for tenant_id in sorted(provider.tenants):
            tenant = await self._tenants.get(tenant_id)
            if tenant is None:
                log.warning("provider_names_unknown_tenant", provider=provider.name, tenant=tenant_id)
                continue
            roles = {role for group in groups for at, role in provider.roles.get(group, ()) if at == tenant_id}
            tenants[tenant_id] = tenant
            granted[tenant_id] = min(roles, key=strength.index, default=None)
        return granted, tenants, None if provider.admins is None else provider.admins in groups

    async def _linked(self, provider: Provider, identity: Identity, claims: Claims) -> str | None:
        """The account of the same e-mail, linked from now on, where the provider is trusted with that."""
        email = claims.get("email")
        if not provider.link_by_email or claims.get("email_verified") is not True or not isinstance(email, str):
            return None
        account = await self._accounts.by_email(email)
        if account is None or (account.platform_admin and provider.admins is None):
            # Nobody becomes an administrator of the platform by an e-mail.
            return None
        if await self._identities.link(identity, account.user_id, self._clock.now_us()):
            log.info("identity_linked", provider=provider.name, user_id=account.user_id)
            return account.user_id
        return await self._identities.find(identity)

    # ------------------------------------------------------------------------------------------------ signing out
    async def way_out(self, user_id: str, family: str | None, asked_at: str) -> str | None:
        """Where the browser goes to sign out at the provider, too; None for every other sign-in. To be asked while the
        sign-in is open.
        """
        origin = None if family is None else await self._identities.origin(user_id, family)
        remote = None if origin is None else self._remotes.get(origin.provider)
        if origin is None or remote is None:
            return None
        try:
            hint = self._tokens.open(origin.sealed, origin.family)
            return await remote.end_session(hint, self._at(asked_at, "/sign-in"))
        except (UnavailableError, RefusedError) as error:
            log.warning("provider_not_told", provider=origin.provider, error=str(error))
            return None

    async def ended_there(self, name: str, logout_token: str) -> Sequence[Profile]:
        """End what came of a session that the provider has ended; whose sign-ins were ended.

        Raises SliceError NOT_FOUND, UnavailableError, RefusedError for a token that does not hold.
        """
        remote = self._remote(name)
        subject, session = await remote.ended(logout_token)
        found: Sequence[tuple[str, str]] = ()
        user_id = None
        if subject is not None:
            user_id = await self._identities.find(Identity(remote.provider.issuer, subject))
        if session is not None:
            found = await self._identities.of_session(name, session)
            found = [each for each in found if subject is None or each[0] == user_id]
        elif user_id is not None:
            found = await self._identities.of_user(name, user_id)
        profiles = {}
        for person, family in found:
            if await self._people.end_sign_in(person, family):
                profiles[person] = await self._people.profile(person, remote.provider.tenant)
        return [profile for profile in profiles.values() if profile is not None]


def _changes(moved: Moved, tenants: Mapping[str, Tenant]) -> Sequence[Change]:
    return [Change(each, *moved.roles[each.no]) for each in tenants.values() if each.no in moved.roles]


def _text(claims: Claims, *names: str, most: int) -> str | None:
    for name in names:
        told = claims.get(name)
        if isinstance(told, str) and (shown := "".join(filter(str.isprintable, told)).strip()[:most]):
            return shown
    return None


def _email(claims: Claims) -> str:
    """What the person is shown as; nobody is found by it."""
    return _text(claims, "email", "preferred_username", "upn", "sub", most=254) or "?"


def _name(claims: Claims) -> str:
    return _text(claims, "name", "preferred_username", most=200) or _email(claims).partition("@")[0]
