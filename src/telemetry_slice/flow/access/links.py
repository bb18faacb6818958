"""One-time links: invitations into a tenant, passwords to be set anew. The registry keeps hashes of their secrets."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence

import structlog

from ...model.errors import Code, SliceError, UnavailableError
from ...model.tenancy import Role, Tenant, User
from ...model.times import DAY_US
from ...ports.accounts import Account
from ...ports.edge import Clock
from ...ports.post import Post
from ...ports.registry import Registry
from ...ports.signing_in import Link, LinkKind
from .passwords import Brake
from .people import People
from .profile import SignIn
from .texts import digest_of

log = structlog.get_logger()

INVITATION_US = 7 * DAY_US
RESET_US = DAY_US
_MAX_SENDING = 64
_INVITATION = """{tenant} invites you to Telemetry Slice.

Open this link within seven days to accept; it works once:

{link}

Whoever has the link can accept. If you expected no invitation, leave it alone.
"""
_RESET = """Somebody, perhaps you, wants to set a new password for this address at Telemetry Slice.

Open this link within a day to do so; it works once, and signs you out everywhere:

{link}

If it was not you, leave it alone: nothing has changed.
"""


def _not_valid() -> SliceError:
    return SliceError(Code.UNAUTHENTICATED, "This link is not valid (any more).")


class OneTimeLinks:
    """Makes links, sends them where there is a way to, and does what they are good for, once.

    Attributes:
        by_email: whether links can be sent; else whoever makes one hands it on.
    """

    def __init__(
        self,
        registry: Registry,
        people: People,
        clock: Clock,
        *,
        post: Post | None = None,
        public_url: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`public_url` is where people reach the page; links that are sent begin with it, and with nothing else."""
        self._links = registry.signing_in.links
        self._accounts = registry.accounts
        self._tenants = registry.tenants
        self._people = people
        self._clock = clock
        self._post = post
        self._public_url = public_url
        self.by_email = post is not None and public_url is not None
        self._by_address = Brake(30, 60.0, monotonic)
        self._per_email = Brake(3, 3600.0, monotonic)
        self._sending: set[asyncio.Task[None]] = set()

    def address(self, kind: LinkKind, token: str, asked_at: str) -> str:
        """The whole link; `asked_at` is the server's address as its maker used it, for want of a public one."""
        return f"{self.page(asked_at)}/{kind}?token={token}"

    def page(self, asked_at: str) -> str:
        """Where the page is, without a slash behind."""
        return (self._public_url or asked_at).rstrip("/")

    async def _new(
        self,
        kind: LinkKind,
        email: str,
        life_us: int,
        *,
        tenant: Tenant | None = None,
        role: Role | None = None,
        user_id: str | None = None,
    ) -> tuple[str, Link]:
        token, now_us = secrets.token_urlsafe(32), self._clock.now_us()
        link = Link(
            digest_of(token),
            secrets.token_urlsafe(9),
            kind,
            email,
            tenant.no if tenant else None,
            role,
            user_id,
            now_us,
            now_us + life_us,
        )
        await self._links.add(link)
        return token, link

    # ------------------------------------------------------------------------------------------------ invitations
    async def invite(self, tenant: Tenant, email: str, role: Role) -> tuple[str, Link, bool]:
        """The secret of a new invitation, the invitation, and whether it was sent. An older one for the e-mail ends."""
        token, link = await self._new(LinkKind.INVITATION, email, INVITATION_US, tenant=tenant, role=role)
        text = _INVITATION.format(tenant=tenant.name, link=self.address(link.kind, token, ""))
        sent = self.by_email and await self._sent(email, "You are invited to Telemetry Slice", text)
        return token, link, sent

    async def invitations(self, tenant: Tenant) -> Sequence[Link]:
        """The open invitations of a tenant, by e-mail."""
        return await self._links.invitations(tenant.no, self._clock.now_us())

    async def withdraw(self, tenant: Tenant, link_id: str) -> bool:
        """End an invitation; False if the tenant has no such one."""
        return await self._links.withdraw(tenant.no, link_id)

    async def invitation(self, token: str, address: str | None) -> tuple[Link, Tenant, bool]:
        """An open invitation, its tenant, and whether its e-mail has an account. Raises SliceError UNAUTHENTICATED."""
        link = await self._open(token, LinkKind.INVITATION, address)
        tenant = None if link.tenant_no is None else await self._tenants.by_no(link.tenant_no)
        if tenant is None:
            raise _not_valid()
        return link, tenant, await self._accounts.by_email(link.email) is not None

    async def _open(self, token: str, kind: LinkKind, address: str | None) -> Link:
        self._by_address.take(address or "unknown")
        link = await self._links.find(digest_of(token), self._clock.now_us())
        if link is None or link.kind != kind:
            raise _not_valid()
        self._by_address.give_back(address or "unknown")
        return link

    async def accept(self, token: str, name: str, password: str, address: str | None, user_agent: str | None) -> SignIn:
        """Take an invitation with a new account of its e-mail, signed in.

        Raises SliceError UNAUTHENTICATED if it is not open, INVALID for the password, CONFLICT if there is an account.
        """
        link, tenant, known = await self.invitation(token, address)
        if known:
            raise SliceError(Code.CONFLICT, "There is an account with this e-mail already: sign in to accept.")
        account = await self._people.new_account(link.email, name, password)
        if not await self._links.enrol(link, account, self._clock.now_us()):
            raise _not_valid()
        log.info("invitation_accepted", tenant=tenant.id, user_id=account.user_id)
        return await self._people.sign_in(account.user_id, address, user_agent)

    async def join(self, token: str, user: User, address: str | None) -> Tenant:
        """Take an invitation as somebody who is signed in.

        Raises SliceError UNAUTHENTICATED if it is not open, FORBIDDEN if it is another e-mail's, CONFLICT for a member.
        """
        link, tenant, _ = await self.invitation(token, address)
        account = await self._accounts.by_email(link.email)
        # Not the e-mail of a session: who comes of a provider may have anybody's.
        if account is None or account.user_id != user.user_id:
            raise SliceError(Code.FORBIDDEN, "This invitation is for another e-mail.")
        try:
            if not await self._links.join(link, user.user_id, self._clock.now_us()):
                raise _not_valid()
        finally:
            self._people.forget_profiles()
        return tenant

    # ------------------------------------------------------------------------------------------------ new passwords
    async def reset_of(self, account: Account) -> tuple[str, Link]:
        """The secret of a link that sets a new password for `account`, and the link. An older one ends.

        Raises SliceError CONFLICT if it has none.
        """
        if not account.password:
            raise SliceError(Code.CONFLICT, "This account has no password: its person signs in with a provider.")
        return await self._new(LinkKind.RESET, account.email, RESET_US, user_id=account.user_id)

    def ask_for_reset(self, email: str, address: str | None) -> None:
        """Send a link to the e-mail if it has an account. Whether it has shows in nothing, and takes no time here.

        Raises SliceError FORBIDDEN where nothing can be sent, QUOTA_EXCEEDED after too many attempts.
        """
        if not self.by_email:
            raise SliceError(Code.FORBIDDEN, "No e-mail is sent from here: ask an administrator for a link.")
        self._by_address.take(address or "unknown")
        self._per_email.take(email.casefold())
        if len(self._sending) >= _MAX_SENDING:
            raise SliceError(Code.CAPACITY, "Too many e-mails are waiting to be sent.", retry_after_s=30)
        task = asyncio.create_task(self._send_reset(email))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_reset(self, email: str) -> None:
        try:
            account = await self._accounts.by_email(email)
            if account is None:
                return
            token, link = await self.reset_of(account)
        except UnavailableError as error:
            log.warning("reset_not_made", error=str(error))
            return
        await self._sent(account.email, "A new password", _RESET.format(link=self.address(link.kind, token, "")))

    async def reset(self, token: str, password: str, address: str | None) -> None:
        """Set a new password, by which every sign-in of the person ends.

        Raises SliceError UNAUTHENTICATED if the link is not open, INVALID for the password.
        """
        link = await self._open(token, LinkKind.RESET, address)
        kept = await self._people.hashed(password, "/newPassword")
        if not await self._links.reset(link, kept, self._clock.now_us()):
            raise _not_valid()
        self._people.forget_profiles()

    async def _sent(self, to: str, subject: str, text: str) -> bool:
        if self._post is None:
            return False
        try:
            await self._post.send(to, subject, text)
        except UnavailableError as error:
            log.warning("email_not_sent", error=str(error))
            return False
        return True
