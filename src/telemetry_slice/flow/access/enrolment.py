"""Devices that register themselves: a tenant's token lets each of them have its own key, once.

A device comes with a random text of its own; its key is made of that text, so that a device that has lost the answer
asks again and is given the same key, while somebody else with the same token is not. docs/adr/0024 says why.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...model.errors import Code, SliceError, invalid
from ...model.events import TenantNo
from ...model.tenancy import Tenant
from ...ports.credentials import Enrolled, EnrolmentToken, EnrolmentTokens
from ...ports.edge import Clock
from ...ports.provisioning import WantedDevice
from .keys import KeyRing, unauthenticated
from .passwords import Brake
from .texts import ENROLMENT_PREFIX, digest_of, key_id_of, new_token


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A device that has registered itself; `is_repeated`: it was given the same before."""

    token: EnrolmentToken
    device_id: str
    key_id: str
    key: str
    expires_us: int | None
    is_repeated: bool


class EnrolmentDesk:
    """Makes and ends enrolment tokens, and registers who comes with one."""

    def __init__(
        self,
        tokens: EnrolmentTokens,
        keys: KeyRing,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._keys = keys
        self._clock = clock
        self._by_address = Brake(30, 60.0, monotonic, doing="enrol")
        self._by_token = Brake(60, 60.0, monotonic, doing="enrol")

    async def create(
        self,
        tenant: Tenant,
        *,
        name: str,
        prefix: str,
        location: str,
        tags: Sequence[str],
        key_life_us: int | None,
        max_uses: int,
        expires_us: int,
    ) -> tuple[EnrolmentToken, str]:
        """A new token and its text, which nobody can tell again."""
        token_id, text = new_token(ENROLMENT_PREFIX)
        token = EnrolmentToken(
            token_id=token_id,
            tenant=tenant,
            digest=digest_of(text),
            name=name,
            prefix=prefix,
            location=location,
            tags=tuple(tags),
            key_life_us=key_life_us,
            max_uses=max_uses,
            uses=0,
            created_us=self._clock.now_us(),
            expires_us=expires_us,
            revoked_us=None,
            last_used_us=None,
        )
        await self._tokens.add(token)
        return token, text

    async def list(self, tenant: TenantNo) -> Sequence[EnrolmentToken]:
        """All tokens of a tenant, newest first."""
        return await self._tokens.list(tenant)

    async def revoke(self, tenant: TenantNo, token_id: str) -> bool:
        """End a token now; False if the tenant has no such token that is not revoked."""
        return await self._tokens.revoke(tenant, token_id)

    async def token_of(self, text: str, address: str | None) -> EnrolmentToken:
        """The live token that a device comes with. One attempt of the address is counted until `enrol` is done.

        Raises SliceError UNAUTHENTICATED, whatever the reason, and QUOTA_EXCEEDED after too many attempts.
        """
        self._by_address.take(address or "")
        token_id = key_id_of(text, ENROLMENT_PREFIX)
        if token_id is None:
            raise unauthenticated()
        token = await self._tokens.find(token_id)
        # The comparison is made for unknown ids, too, so that they take as long.
        right = hmac.compare_digest(digest_of(text), token.digest if token else bytes(32))
        if token is None or not right or token.revoked_us is not None or token.expires_us <= self._clock.now_us():
            raise unauthenticated()
        return token

    async def enrol(
        self, token: EnrolmentToken, device_id: str, label: str | None, nonce: str, address: str | None
    ) -> Enrolment:
        """Create the device and give it its key; for the same `nonce` within a day the same.

        Raises:
            SliceError: FORBIDDEN while the tenant is suspended, INVALID for an id without the token's prefix, CONFLICT
                if there is, or was, such a device, UNAUTHENTICATED if the token is over, QUOTA_EXCEEDED.
        """
        if token.tenant.suspended is not None:
            raise SliceError(Code.FORBIDDEN, f"The tenant is suspended: {token.tenant.suspended}")
        if not device_id.startswith(token.prefix):
            raise invalid("/deviceId", f"With this token ids begin with {token.prefix}")
        self._by_token.take(token.token_id)
        key_id, key, mac = self._keys.made_of(f"enrolment\0{token.token_id}\0{nonce}\0{device_id}".encode())
        wanted = WantedDevice(device_id, label or device_id, token.location, token.tags, key_id, mac, self._keys.pepper)
        expires_us = None if token.key_life_us is None else self._clock.now_us() + token.key_life_us
        enrolled = await self._tokens.enrol(token, wanted, expires_us)
        if enrolled == Enrolled.OVER:
            raise unauthenticated()
        if enrolled == Enrolled.TAKEN:
            raise SliceError(Code.CONFLICT, "There is, or was, a device with this id.")
        self._by_token.give_back(token.token_id)
        self._by_address.give_back(address or "")
        return Enrolment(token, device_id, key_id, key, expires_us, enrolled == Enrolled.REPEATED)
