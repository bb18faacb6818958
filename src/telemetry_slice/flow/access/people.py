"""People: signing in, browser sessions, refresh tokens, and the first run."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ...model.errors import Code, SliceError, invalid
from ...model.events import TenantNo
from ...model.tenancy import Role, User
from ...model.times import DAY_US, HOUR_US, SECOND_US
from ...ports.edge import Clock
from ...ports.registry import Account, Membership, Registry, Session, SessionKind
from .keys import unauthenticated
from .passwords import MAX_PASSWORD, MIN_PASSWORD, Brake, Passwords
from .tokens import LIFETIME_S, Signer

SESSION_US = 7 * DAY_US
_EXTEND_AFTER_US = HOUR_US
_OFFER_US = DAY_US
_PROFILE_FRESH_S = 4.0
_MAX_PROFILES = 5_000


@dataclass(frozen=True, slots=True)
class Profile:
    """A person with the tenant acted in, and all tenants to choose from."""

    user: User
    memberships: Sequence[Membership]


@dataclass(frozen=True, slots=True)
class SignIn:
    """A new browser session: the cookie's value, and who it stands for."""

    token: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an API client gets."""

    access_token: str
    expires_s: int
    refresh_token: str
    profile: Profile


class ReusedTokenError(SliceError):
    """A refresh token came a second time, and what came of it has ended. The outside hears a plain UNAUTHENTICATED.

    Attributes:
        profile: whose it was; None if the account is gone.
    """

    def __init__(self, profile: Profile | None) -> None:
        refusal = unauthenticated()
        super().__init__(refusal.code, refusal.detail)
        self.profile = profile


def check_password(password: str, pointer: str = "/password") -> str:
    """The password, if it is long enough. Raises SliceError INVALID."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise invalid(pointer, f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return password


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


class People:
    """Everything about accounts that involves a secret."""

    def __init__(
        self,
        registry: Registry,
        signer: Signer,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = registry.accounts
        self._sessions = registry.sessions
        self._first_run = registry.first_run
        self._signer = signer
        self._clock = clock
        self._now = monotonic
        self._passwords = Passwords()
        self._by_email = Brake(10, 60.0, monotonic)
        self._by_address = Brake(30, 60.0, monotonic)
        self._profiles: OrderedDict[str, tuple[float, Account, Sequence[Membership]]] = OrderedDict()
        self._generation = 0

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
                self._profiles[user_id] = (began + _PROFILE_FRESH_S, account, memberships)
                self._profiles.move_to_end(user_id)
                if len(self._profiles) > _MAX_PROFILES:
                    self._profiles.popitem(last=False)
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
        """Read every person anew at the next use."""
        self._generation += 1
        self._profiles.clear()

    # ------------------------------------------------------------------------------------------------ signing in
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

    async def login(self, email: str, password: str, address: str | None) -> SignIn:
        """A browser session for a right password.

        Raises SliceError UNAUTHENTICATED, or QUOTA_EXCEEDED after too many failures by e-mail or address.
        """
        account = await self._check(email, password, address)
        return await self._open(account.user_id)

    async def _open(self, user_id: str) -> SignIn:
        profile = await self._first_profile(user_id)
        token, _ = await self._new_session(SessionKind.BROWSER, profile)
        return SignIn(token, profile)

    async def _first_profile(self, user_id: str) -> Profile:
        """The person acting in the first tenant of the list."""
        profile = await self.profile(user_id, None)
        if profile is not None and profile.memberships:
            profile = await self.profile(user_id, profile.memberships[0].tenant.id)
        if profile is None:
            raise unauthenticated()
        return profile

    def _session(self, kind: SessionKind, user_id: str, tenant_id: str | None, family: str) -> tuple[str, Session]:
        token, now_us = secrets.token_urlsafe(32), self._clock.now_us()
        return token, Session(_digest(token), kind, family, user_id, tenant_id, now_us, now_us + SESSION_US, used=False)

    async def _new_session(self, kind: SessionKind, profile: Profile) -> tuple[str, Session]:
        tenant = profile.user.tenant
        token, session = self._session(
            kind, profile.user.user_id, tenant.id if tenant else None, secrets.token_urlsafe(12)
        )
        await self._sessions.add(session)
        return token, session

    async def _live(self, token: str, kind: SessionKind) -> Session:
        """The session of a token, used ones included. Raises SliceError UNAUTHENTICATED."""
        session = await self._sessions.find(_digest(token)) if 0 < len(token) <= 128 else None
        if session is None or session.kind != kind or session.expires_us <= self._clock.now_us():
            raise unauthenticated()
        return session

    async def by_session(self, token: str) -> Profile:
        """Whose cookie this is; each use lets it live seven days more. Raises SliceError UNAUTHENTICATED."""
        session = await self._live(token, SessionKind.BROWSER)
        profile = await self.profile(session.user_id, session.tenant_id)
        if profile is None:
            raise unauthenticated()
        expires_us = self._clock.now_us() + SESSION_US
        if expires_us - session.expires_us > _EXTEND_AFTER_US:
            await self._sessions.extend(session.token, expires_us)
        return profile

    async def logout(self, token: str) -> None:
        """End the session of a cookie; an unknown one is no error."""
        session = await self._sessions.find(_digest(token))
        if session is not None:
            await self._sessions.end_family(session.family)

    async def switch(self, token: str, tenant_id: str) -> Profile:
        """Let the cookie's session act in another tenant. Raises SliceError FORBIDDEN if not a member there."""
        session = await self._live(token, SessionKind.BROWSER)
        profile = await self._profile_in(session.user_id, tenant_id)
        await self._sessions.switch(session.token, tenant_id)
        return profile

    async def _profile_in(self, user_id: str, tenant_id: str) -> Profile:
        profile = await self.profile(user_id, tenant_id)
        if profile is None or profile.user.tenant is None:
            raise SliceError(Code.FORBIDDEN, "You are not a member of this tenant.")
        return profile

    # ------------------------------------------------------------------------------------------------ API clients
    def _tokens(self, profile: Profile, refresh_token: str) -> Tokens:
        user = profile.user
        access_token = self._signer.sign(
            user.user_id,
            self._clock.now_us() // SECOND_US,
            tenant_id=user.tenant.id if user.tenant else None,
            role=user.role,
        )
        return Tokens(access_token, LIFETIME_S, refresh_token, profile)

    async def tokens_by_password(
        self, email: str, password: str, address: str | None, tenant_id: str | None = None
    ) -> Tokens:
        """Access and refresh token for a right password, acting in `tenant_id` or in the first tenant."""
        account = await self._check(email, password, address)
        if tenant_id is None:
            profile = await self._first_profile(account.user_id)
        else:
            profile = await self._profile_in(account.user_id, tenant_id)
        token, _ = await self._new_session(SessionKind.REFRESH, profile)
        return self._tokens(profile, token)

    async def tokens_by_refresh(self, refresh_token: str, tenant_id: str | None = None) -> Tokens:
        """A new pair for a refresh token, which ends by that; using it twice ends everything that came of it.

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
        tenant = profile.user.tenant
        token, new = self._session(SessionKind.REFRESH, old.user_id, tenant.id if tenant else None, old.family)
        if not await self._sessions.rotate(old.token, new):
            raise await self._reused(old)
        return self._tokens(profile, token)

    async def _reused(self, session: Session) -> ReusedTokenError:
        await self._sessions.end_family(session.family)
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
        account = await self._account(email, name, password, platform_admin=platform_admin)
        await self._accounts.add(account, memberships)
        return account

    async def _account(self, email: str, name: str, password: str, *, platform_admin: bool) -> Account:
        kept = await self._passwords.hash(check_password(password))
        return Account(secrets.token_hex(12), email, name or email.partition("@")[0], kept, platform_admin)

    async def change_password(self, user: User, current: str, new: str, address: str | None) -> None:
        """Replace one's own password and end every session of the account."""
        check_password(new, "/newPassword")
        await self._check(user.email, current, address)
        await self._accounts.set_password(user.user_id, await self._passwords.hash(new))
        await self._sessions.end_user(user.user_id)
        self.forget_profiles()

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
        offered = await self._first_run.offer(_digest(token), self._clock.now_us() + _OFFER_US)
        return token if offered else None

    async def set_up(
        self, token: str, email: str, password: str, *, tenant_id: str, tenant_name: str, address: str | None
    ) -> SignIn:
        """Take up the offer: a platform administrator, who owns the first tenant.

        Raises SliceError UNAUTHENTICATED if the offer is not open, QUOTA_EXCEEDED after too many failures.
        """
        self._by_address.take(address or "unknown")
        account = await self._account(email, "", password, platform_admin=True)
        tenant = await self._first_run.claim(_digest(token), self._clock.now_us(), account, tenant_id, tenant_name)
        if tenant is None:
            raise SliceError(Code.UNAUTHENTICATED, "This set-up link is not valid (any more).")
        self._by_address.give_back(address or "unknown")
        return await self._open(account.user_id)
