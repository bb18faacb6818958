"""Links to dashboards: made, listed, ended, and turned into principals. docs/adr/0029 says why they are so."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress

from ...model.errors import UnavailableError
from ...model.events import TenantNo
from ...model.tenancy import DashboardLink, Tenant
from ...model.times import MINUTE_US, SECOND_US
from ...ports.dashboards import DashboardLinkRecord, DashboardLinks
from ...ports.edge import Clock
from .keys import FRESH_S, unauthenticated
from .passwords import Brake
from .texts import LINK_PREFIX, digest_of, key_id_of, new_token

_MAX_KNOWN = 5_000
_TOUCH_AFTER_US = 5 * MINUTE_US
READS_A_MINUTE = 600
"""Requests with one link: some screens on walls, each asking every few seconds."""


class DashboardLinkDesk:
    """Makes and ends links to dashboards, and lets in who comes with one.

    A link that was right is trusted for at most `FRESH_S` from before the registry was read, so that its end elsewhere
    takes effect within that time; what is ended here ends at once.
    """

    def __init__(self, links: DashboardLinks, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._links = links
        self._clock = clock
        self._now = monotonic
        self._by_address = Brake(30, 60.0, monotonic, doing="open a link")
        self._by_link = Brake(READS_A_MINUTE, 60.0, monotonic, doing="read with a link")
        self._known: OrderedDict[bytes, tuple[float, DashboardLink]] = OrderedDict()
        """Of a link's digest: until when (monotonic clock) it is trusted."""
        self._generation = 0

    async def create(
        self, tenant: Tenant, dashboard_id: str, *, name: str, expires_us: int, by: str
    ) -> tuple[DashboardLinkRecord, str] | None:
        """A new link and its secret, which nobody can tell again; None if the tenant has no such dashboard.

        Raises SliceError CONFLICT if it has too many live ones.
        """
        link_id, text = new_token(LINK_PREFIX)
        now_us = self._clock.now_us()
        link = DashboardLinkRecord(link_id, tenant, dashboard_id, digest_of(text), name, now_us, by, expires_us)
        return (link, text) if await self._links.add(link) else None

    async def list(self, tenant: TenantNo, dashboard_id: str) -> Sequence[DashboardLinkRecord]:
        """All links of a dashboard, newest first."""
        return await self._links.list(tenant, dashboard_id)

    async def revoke(self, tenant: TenantNo, dashboard_id: str, link_id: str) -> bool:
        """End a link now; False if the dashboard has no such one that is not revoked."""
        done = await self._links.revoke(tenant, dashboard_id, link_id)
        self.forget()
        return done

    def forget(self) -> None:
        """Ask for every link anew: one was ended, or its dashboard deleted."""
        self._generation += 1
        self._known.clear()

    async def principal(self, text: str, address: str | None) -> DashboardLink:
        """Whom a link lets in.

        Raises:
            SliceError: UNAUTHENTICATED, whatever the reason; QUOTA_EXCEEDED after too many guesses of an address, or
                too many requests with one link.
        """
        link_id, digest = key_id_of(text, LINK_PREFIX), digest_of(text)
        known = self._known.get(digest)
        if known is not None and known[0] > self._now() and known[1].expires_us > self._clock.now_us():
            self._by_link.take(known[1].link_id)
            return known[1]
        self._by_address.take(address or "")
        if link_id is None:
            raise unauthenticated()
        began, generation, now_us = self._now(), self._generation, self._clock.now_us()
        record = await self._links.find(link_id)
        # The comparison is made for unknown ids, too, so that they take as long.
        right = hmac.compare_digest(digest, record.digest if record else bytes(32))
        if record is None or not right or record.revoked_us is not None or record.expires_us <= now_us:
            raise unauthenticated()
        self._by_address.give_back(address or "")
        self._by_link.take(link_id)
        link = DashboardLink(record.tenant, link_id, record.name, record.dashboard_id, record.expires_us)
        if generation == self._generation:
            fresh_s = min(FRESH_S, (record.expires_us - now_us) / SECOND_US)
            self._known[digest] = (began + fresh_s, link)
            self._known.move_to_end(digest)
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        if record.last_used_us is None or record.last_used_us <= now_us - _TOUCH_AFTER_US:
            # When it was used last is worth no refusal.
            with suppress(UnavailableError):
                await self._links.touch(record.tenant.no, link_id, now_us)
        return link
