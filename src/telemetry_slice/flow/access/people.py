"""People: signing in, browser sessions, refresh tokens, and the first run."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from ...model.errors import Code, SliceError, UnavailableError
from ...model.events import TenantNo
from ...model.tenancy import Role, User
from ...model.times import DAY_US, SECOND_US
from ...ports.accounts import Account, Membership, Session, SessionKind
from ...ports.edge import Clock
from ...ports.registry import Registry
from ...ports.signing_in import OpenSignIn
from .keys import unauthenticated
from .passwords import Brake, Passwords, check_password
from .profile import Profile, ReusedTokenError, SignIn, Tokens
from .second_factor import SecondFactors
from .signing import Signers
from .texts import digest_of
from .tokens import LIFETIME_S, Claims

log = structlog.get_logger()

SESSION_US = 7 * DAY_US
"""So long a sign-in lives after its last use,"""
LONGEST_US = 30 * DAY_US
"""and so long at most, however it is used: then the password is asked for again."""
_TOUCH_AFTER_US = 60 * SECOND_US
_OFFER_US = DAY_US
_FRESH_S = 4.0
_MAX_KNOWN = 5_000


def _expiry(now_us: int, started_us: int) -> int:
    return min(now_us + SESSION_US, started_us + LONGEST_US)


def _bound(known: OrderedDict[Any, Any]) -> None:
    if len(known) > _MAX_KNOWN:
        known.popitem(last=False)


def _through(profile: Profile, family: str | None) -> Profile:
    """The person as here by this sign-in."""
    return replace(profile, user=replace(profile.user, family=family))


class People:
    """Everything about accounts that involves a secret."""

    def __init__(
        self,
        registry: Registry,
        signers: Signers,
        second_factors: SecondFactors,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = registry.accounts
        self._sessions = registry.sessions
        self._sign_ins = registry.signing_in.sign_ins
        self._first_run = registry.first_run
        self._signers = signers
        self._second_factors = second_factors
        self._clock = clock
        self._now = monotonic
        self._passwords = Passwords()
        self._by_email = Brake(10, 60.0, monotonic)
        self._by_address = Brake(30, 60.0, monotonic)
        self._profiles: OrderedDict[str, tuple[float, Account, Sequence[Membership]]] = OrderedDict()
        self._generation = 0
        self._open: OrderedDict[str, float] = OrderedDict()
        """Of the family of an access token: until when (monotonic clock) it is taken for open."""
        self._touched: OrderedDict[str, int] = OrderedDict()
        """Of a family: when its use was written down last."""

    def close(self) -> None:
        """Let the password thread end."""
        self._passwords.close()

    # ------------------------------------------------------------------------------------------------ profiles
    async def profile(self, user_id: str, tenant_id: str | None) -> Profile | None:
        """The person as of at most four seconds ago, acting in `tenant_id` if (still) a member there."""
        known = self._profiles.get(user_id)
        if known is not None and known[0] > self._now():
            _, account, memberships = known
        else:
            began, generation = self._now(), self._generation
            found = await self._accounts.by_id(user_id)
            if found is None:
                return None
            account, memberships = found
            if generation == self._generation:
                self._profiles[user_id] = (began + _FRESH_S, account, memberships)
                self._profiles.move_to_end(user_id)
                _bound(self._profiles)
        membership = next((m for m in memberships if m.tenant.id == tenant_id), None)
        user = User(
            account.user_id,
            account.email,
            account.name,
            membership.tenant if membership else None,
            membership.role if membership else None,
            account.platform_admin,
        )
        return Profile(user, memberships)

    def forget_profiles(self) -> None:
        """Read every person, and which sign-ins are open, anew at the next use."""
        self._generation += 1
        self._profiles.clear()
        self._open.clear()

    async def by_claims(self, claims: Claims) -> Profile:
        """Whose access token this is, its sign-in open four seconds ago at least. Raises SliceError UNAUTHENTICATED."""
        profile = await self.profile(claims.subject, claims.tenant_id)
        if profile is None or not await self._is_open(claims.subject, claims.family):
            raise unauthenticated()
        return _through(profile, claims.family)

    async def _is_open(self, user_id: str, family: str | None) -> bool:
        if family is None:
            # Signed by a release that did not write down of which sign-in: good until it ends.
            return True
        if self._open.get(family, 0.0) > self._now():
            return True
        began, generation = self._now(), self._generation
        if not await self._sign_ins.is_open(user_id, family, self._clock.now_us()):
            return False
        if generation == self._generation:
            self._open[family] = began + _FRESH_S
            self._open.move_to_end(family)
            _bound(self._open)
        return True

    # ------------------------------------------------------------------------------------------------ signing in
    async def check(self, email: str, password: str, address: str | None, code: str | None) -> Account:
        """The account of a right password, and of a right code where one is asked for. Raises SliceError."""
        account = await self._check(email, password, address)
        await self._second_factors.check(account.user_id, code)
        return account

    async def _check(self, email: str, password: str, address: str | None) -> Account:
        """The account of a right password; as slow for an unknown e-mail. Raises SliceError."""
        by_email, by_address = email.casefold(), address or "unknown"
        self._by_email.take(by_email)
        self._by_address.take(by_address)
        account = await self._accounts.by_email(email)
        if not await self._passwords.verify(account.password if account else None, password) or account is None:
            raise SliceError(Code.UNAUTHENTICATED, "E-mail and password do not belong together.")
        self._by_email.give_back(by_email)
        self._by_address.give_back(by_address)
        return account

    async def prove(self, user: User, password: str, address: str | None) -> None:
        """Make sure that it is the person who calls, not a session left open. Raises SliceError."""
        account = await self._check(user.email, password, address)
        if account.user_id != user.user_id:
            # Who comes of a provider has no password, and perhaps the e-mail of somebody who has.
            raise SliceError(Code.UNAUTHENTICATED, "E-mail and password do not belong together.")

    async def login(
        self, email: str, password: str, address: str | None, user_agent: str | None = None, code: str | None = None
    ) -> SignIn:
        """A browser session for a right password, opened from there.

        Raises SliceError UNAUTHENTICATED, SECOND_FACTOR_NEEDED where a `code` is asked for, or QUOTA_EXCEEDED after too
        many failures by e-mail or address.
        """
        account = await self.check(email, password, address, code)
        return await self.sign_in(account.user_id, address, user_agent)

    async def sign_in(
        self, user_id: str, address: str | None, user_agent: str | None, *, tenant_id: str | None = None
    ) -> SignIn:
        """A browser session for somebody who has proved to be this person, acting in `tenant_id` if a member there, or
        in the first tenant. Raises SliceError UNAUTHENTICATED.
        """
        profile = None if tenant_id is None else await self.profile(user_id, tenant_id)
        if profile is None or profile.user.tenant is None:
            profile = await self._first_profile(user_id)
        token, session = await self._new_session(SessionKind.BROWSER, profile, address, user_agent)
        return SignIn(token, _through(profile, session.family))

    async def _first_profile(self, user_id: str) -> Profile:
        """The person acting in the first tenant of the list."""
        profile = await self.profile(user_id, None)
        if profile is not None and profile.memberships:
            profile = await self.profile(user_id, profile.memberships[0].tenant.id)
        if profile is None:
            raise unauthenticated()
        return profile

    def _session(
        self, kind: SessionKind, user_id: str, tenant_id: str | None, family: str, started_us: int | None = None
    ) -> tuple[str, Session]:
        """A session of a sign-in, which began at `started_us` or begins now."""
        token, now_us = secrets.token_urlsafe(32), self._clock.now_us()
        expires_us = _expiry(now_us, now_us if started_us is None else started_us)
        return token, Session(digest_of(token), kind, family, user_id, tenant_id, now_us, expires_us, used=False)

    async def _started_us(self, session: Session) -> int:
        """When the sign-in of a session began, through all rotations."""
        families = await self._sign_ins.of_user(session.user_id, self._clock.now_us())
        return next((each.created_us for each in families if each.family == session.family), session.created_us)

    async def _new_session(
        self, kind: SessionKind, profile: Profile, address: str | None, user_agent: str | None
    ) -> tuple[str, Session]:
        tenant = profile.user.tenant
        token, session = self._session(
            kind, profile.user.user_id, tenant.id if tenant else None, secrets.token_urlsafe(12)
        )
        await self._sessions.add(session, address=address, user_agent=user_agent)
        return token, session

    async def _live(self, token: str, kind: SessionKind) -> Session:
        """The session of a token, used ones included. Raises SliceError UNAUTHENTICATED."""
        session = await self._sessions.find(digest_of(token)) if 0 < len(token) <= 128 else None
        if session is None or session.kind != kind or session.expires_us <= self._clock.now_us():
            raise unauthenticated()
        return session

    async def by_session(self, token: str, address: str | None = None, user_agent: str | None = None) -> Profile:
        """Whose cookie this is; each use lets it live seven days more, up to thirty in all.

        Raises SliceError UNAUTHENTICATED.
        """
        session = await self._live(token, SessionKind.BROWSER)
        profile = await self.profile(session.user_id, session.tenant_id)
        if profile is None:
            raise unauthenticated()
        if self._clock.now_us() - self._touched.get(session.family, session.created_us) >= _TOUCH_AFTER_US:
            await self._touch(session, session.created_us, address, user_agent)
        return _through(profile, session.family)

    async def _touch(self, session: Session, started_us: int, address: str | None, user_agent: str | None) -> None:
        """Write down a use of a sign-in that began at `started_us`."""
        now_us = self._clock.now_us()
        self._touched[session.family] = now_us
        self._touched.move_to_end(session.family)
        _bound(self._touched)
        # Who reads need not care that nothing can be written at the moment.
        with suppress(UnavailableError):
            await self._sign_ins.touch(
                session.user_id,
                session.family,
                used_us=now_us,
                expires_us=_expiry(now_us, started_us),
                address=address,
                user_agent=user_agent,
            )

    async def logout(self, token: str) -> None:
        """End the session of a cookie; an unknown one is no error."""
        session = await self._sessions.find(digest_of(token))
        if session is not None:
            await self.end_sign_in(session.user_id, session.family)

    # ------------------------------------------------------------------------------------------------ sign-ins
    async def sign_ins(self, user_id: str) -> Sequence[OpenSignIn]:
        """The open sign-ins of a person, used last first."""
        return await self._sign_ins.of_user(user_id, self._clock.now_us())

    async def end_sign_in(self, user_id: str, family: str) -> bool:
        """End one of a person's own, here at once and elsewhere within seconds; False if there is none."""
        try:
            return await self._sign_ins.end(user_id, family)
        finally:
            self.forget_profiles()

    async def sign_out_everywhere(self, user_id: str) -> None:
        """End every sign-in of a person."""
        try:
            await self._sessions.end_user(user_id)
        finally:
            self.forget_profiles()

    async def switch(self, token: str, tenant_id: str) -> Profile:
        """Let the cookie's session act in another tenant. Raises SliceError FORBIDDEN if not a member there."""
        session = await self._live(token, SessionKind.BROWSER)
        profile = await self._profile_in(session.user_id, tenant_id)
        await self._sessions.switch(session.token, tenant_id)
        return _through(profile, session.family)

    async def _profile_in(self, user_id: str, tenant_id: str) -> Profile:
        profile = await self.profile(user_id, tenant_id)
        if profile is None or profile.user.tenant is None:
            raise SliceError(Code.FORBIDDEN, "You are not a member of this tenant.")
        return profile

    # ------------------------------------------------------------------------------------------------ API clients
    async def _tokens(self, profile: Profile, refresh_token: str, family: str) -> Tokens:
        user = profile.user
        signer = await self._signers.current()
        access_token = signer.sign(
            user.user_id,
            self._clock.now_us() // SECOND_US,
            tenant_id=user.tenant.id if user.tenant else None,
            role=user.role,
            family=family,
        )
        return Tokens(access_token, LIFETIME_S, refresh_token, profile)

    async def tokens_by_password(
        self,
        email: str,
        password: str,
        address: str | None,
        tenant_id: str | None = None,
        user_agent: str | None = None,
        code: str | None = None,
    ) -> Tokens:
        """Access and refresh token for a right password, acting in `tenant_id` or in the first tenant."""
        account = await self.check(email, password, address, code)
        if tenant_id is None:
            profile = await self._first_profile(account.user_id)
        else:
            profile = await self._profile_in(account.user_id, tenant_id)
        token, session = await self._new_session(SessionKind.REFRESH, profile, address, user_agent)
        return await self._tokens(profile, token, session.family)

    async def tokens_by_refresh(
        self,
        refresh_token: str,
        tenant_id: str | None = None,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> Tokens:
        """A new pair for a refresh token, which ends by that; using it twice ends everything that came of it.

        All that comes of a sign-in ends thirty days after it.

        Raises SliceError UNAUTHENTICATED, `ReusedTokenError` for the second use.
        """
        old = await self._live(refresh_token, SessionKind.REFRESH)
        if old.used:
            raise await self._reused(old)
        if tenant_id is None:
            profile = await self.profile(old.user_id, old.tenant_id)
        else:
            profile = await self._profile_in(old.user_id, tenant_id)
        if profile is None:
            raise unauthenticated()
        tenant, started_us = profile.user.tenant, await self._started_us(old)
        token, new = self._session(
            SessionKind.REFRESH, old.user_id, tenant.id if tenant else None, old.family, started_us
        )
        if not await self._sessions.rotate(old.token, new):
            raise await self._reused(old)
        await self._touch(new, started_us, address, user_agent)
        return await self._tokens(profile, token, new.family)

    async def _reused(self, session: Session) -> ReusedTokenError:
        """Two parties hold a token that serves once: nobody can tell which is the thief."""
        log.warning("refresh_token_used_twice", user_id=session.user_id, family=session.family)
        await self.end_sign_in(session.user_id, session.family)
        return ReusedTokenError(await self.profile(session.user_id, session.tenant_id))

    # ------------------------------------------------------------------------------------------------ accounts
    async def add(
        self,
        email: str,
        name: str,
        password: str,
        memberships: Sequence[tuple[TenantNo, Role]] = (),
        *,
        platform_admin: bool = False,
    ) -> Account:
        """A new account. Raises SliceError INVALID for the password, CONFLICT for a taken e-mail."""
        account = await self.new_account(email, name, password, platform_admin=platform_admin)
        await self._accounts.add(account, memberships)
        return account

    async def new_account(self, email: str, name: str, password: str, *, platform_admin: bool = False) -> Account:
        """An account that is kept nowhere yet. Raises SliceError INVALID for the password."""
        kept = await self.hashed(password)
        return Account(secrets.token_hex(12), email, name or email.partition("@")[0], kept, platform_admin)

    async def hashed(self, password: str, pointer: str = "/password") -> str:
        """The argon2id string of a new password. Raises SliceError INVALID if it is too short or too long."""
        return await self._passwords.hash(check_password(password, pointer))

    async def change_password(self, user: User, current: str, new: str, address: str | None) -> None:
        """Replace one's own password and end every session of the account."""
        check_password(new, "/newPassword")
        await self.prove(user, current, address)
        await self._accounts.set_password(user.user_id, await self._passwords.hash(new))
        await self.sign_out_everywhere(user.user_id)

    async def join(self, tenant: TenantNo, user_id: str, role: Role) -> None:
        """Make an account a member. Raises SliceError CONFLICT if it is one."""
        await self._accounts.join(tenant, user_id, role)
        self.forget_profiles()

    async def set_role(self, tenant: TenantNo, user_id: str, role: Role | None) -> bool:
        """Change or (None) end a membership at once. Raises SliceError CONFLICT for the last owner."""
        try:
            return await self._accounts.set_role(tenant, user_id, role)
        finally:
            self.forget_profiles()

    # ------------------------------------------------------------------------------------------------ first run
    async def offer_setup(self) -> str | None:
        """A one-time token for the first administrator, valid for a day; None once any account exists."""
        token = secrets.token_urlsafe(24)
        offered = await self._first_run.offer(digest_of(token), self._clock.now_us() + _OFFER_US)
        return token if offered else None

    async def set_up(
        self,
        token: str,
        email: str,
        password: str,
        *,
        tenant_id: str,
        tenant_name: str,
        address: str | None,
        user_agent: str | None = None,
    ) -> SignIn:
        """Take up the offer: a platform administrator, who owns the first tenant.

        Raises SliceError UNAUTHENTICATED if the offer is not open, QUOTA_EXCEEDED after too many failures.
        """
        self._by_address.take(address or "unknown")
        account = await self.new_account(email, "", password, platform_admin=True)
        tenant = await self._first_run.claim(digest_of(token), self._clock.now_us(), account, tenant_id, tenant_name)
        if tenant is None:
            raise SliceError(Code.UNAUTHENTICATED, "This set-up link is not valid (any more).")
        self._by_address.give_back(address or "unknown")
        return await self.sign_in(account.user_id, address, user_agent)
