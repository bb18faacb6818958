"""Keys of devices, gateways and services: their text, their cache, their issue and revocation.

The registry keeps an HMAC of a key's text, and of a certificate its thumbprint.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice

from ...model.errors import Code, SliceError, UnavailableError
from ...model.events import TenantNo
from ...model.peppers import Peppers
from ...model.tenancy import Device, DeviceKey, GatewayKey, KeyKind, KeyPrincipal, Scope, ServiceKey, Tenant
from ...model.times import DAY_US, SECOND_US
from ...ports.edge import Clock
from ...ports.peppers import UnderPeppers
from ...ports.registry import KeyRecord, Keys
from .texts import key_id_of, new_token, token_of

UNAUTHENTICATED_DETAIL = "The request needs a valid key, token or session."
FRESH_S = 4.0
WARNING_US = 14 * DAY_US
_RENEW_S = 2.0
_MAX_RENEWED = 500
REFUSED_S = 2.0
SILENT_S = 1.0
"""A registry that has not answered for so long cannot be reached, for keys that were verified lately."""
OUTAGE_VERIFIED_S = 24 * 3600.0
OUTAGE_S = 600.0
_MAX_VERIFIED = 20_000
_MAX_REFUSED = 20_000
_MAX_USED = 50_000
"""Uses that wait to be written down; what is used beyond them is written down later."""


def unauthenticated() -> SliceError:
    """The one refusal for every credential that does not hold."""
    return SliceError(Code.UNAUTHENTICATED, UNAUTHENTICATED_DETAIL)


def certificate_id(thumbprint: bytes) -> str:
    """What a certificate is called among keys: the `x5t#S256` of RFC 8705."""
    return f"x5t_{urlsafe_b64encode(thumbprint).rstrip(b'=').decode()}"


def principal_of(record: KeyRecord) -> KeyPrincipal:
    """Who the bearer of the key is."""
    if record.kind == KeyKind.GATEWAY:
        return GatewayKey(record.tenant, record.key_id, record.expires_us)
    if record.kind == KeyKind.SERVICE:
        return ServiceKey(record.tenant, record.key_id, record.scopes, record.expires_us)
    if record.device_no is None or record.device_id is None:
        raise ValueError(f"device key {record.key_id} without a device")
    return DeviceKey(record.tenant, record.key_id, record.device_no, record.device_id, record.expires_us)


@dataclass(slots=True)
class _Verified:
    """A key that was right; `fresh_until`, `verified` on the monotonic clock, `expires_us` on the wall."""

    digest: bytes
    mac: bytes
    principal: KeyPrincipal
    networks: tuple[IPv4Network | IPv6Network, ...]
    expires_us: int | None
    verified: float
    fresh_until: float
    address: str | None = None
    """Where it was used from last."""


def _admits(networks: tuple[IPv4Network | IPv6Network, ...], address: str | None) -> bool:
    if not networks:
        return True
    try:
        ip = ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return any(mapped in network for network in networks)


def _is_live(record: KeyRecord, now_us: int) -> bool:
    return record.revoked_us is None and (record.expires_us is None or record.expires_us > now_us)


def _verified(record: KeyRecord, digest: bytes, began: float, now_us: int) -> _Verified:
    fresh_s = FRESH_S if record.expires_us is None else min(FRESH_S, (record.expires_us - now_us) / SECOND_US)
    networks = tuple(ip_network(address, strict=False) for address in record.addresses)
    principal = principal_of(record)
    return _Verified(digest, record.mac, principal, networks, record.expires_us, began, began + fresh_s)


class KeyRing:
    """Turns keys into principals, with one level of cache; issues, rotates and revokes them.

    A verified key is trusted for at most `FRESH_S` from before the registry was read, so that a revocation elsewhere
    takes effect within that time; a change made here takes effect at once. When the registry cannot be reached, keys
    verified within the last day are trusted for up to ten minutes of outage.

    Attributes:
        warning_us: for so long before its end it is said of a key that it ends soon.
    """

    def __init__(
        self,
        keys: Keys,
        under_peppers: UnderPeppers,
        peppers: Peppers,
        clock: Clock,
        *,
        warning_us: int = WARNING_US,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._under_peppers = under_peppers
        self._peppers = peppers
        self._clock = clock
        self.warning_us = warning_us
        self._now = monotonic
        self._verified: OrderedDict[str, _Verified] = OrderedDict()
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._reading: dict[bytes, tuple[float, asyncio.Future[_Verified | None]]] = {}
        """Of a key's digest: when the registry was asked (loop time), and what it will say."""
        self._due: set[str] = set()
        self._generation = 0
        self._outage_since: float | None = None
        self._used: dict[str, tuple[int, str | None]] = {}
        self._outdated: dict[str, tuple[TenantNo, bytes, bytes]] = {}
        """Of a key that was made under another pepper: its tenant, its HMAC, and the one under the current pepper."""

    def cached(self, token: str, address: str | None) -> KeyPrincipal | None:
        """The principal of a key seen within the last seconds, None if the registry must be asked.

        Raises SliceError UNAUTHENTICATED if the key may not be used from `address`.
        """
        key_id = token[4:14]
        return self._fresh(key_id, sha256(token.encode()).digest(), address) if key_id in self._verified else None

    def _fresh(self, key_id: str, digest: bytes, address: str | None) -> KeyPrincipal | None:
        known = self._verified.get(key_id)
        now = self._now()
        if known is None or known.fresh_until < now or not hmac.compare_digest(known.digest, digest):
            return None
        if known.networks and not _admits(known.networks, address):
            raise unauthenticated()
        known.address = address
        if known.fresh_until - now < _RENEW_S:
            self._due.add(key_id)
        return known.principal

    async def find(self, token: str, address: str | None) -> KeyPrincipal:
        """The principal of a key.

        Raises:
            SliceError: UNAUTHENTICATED, whatever the reason.
            UnavailableError: the registry cannot be reached and the key was not verified lately.
        """
        principal = self.cached(token, address)
        if principal is not None:
            return principal
        key_id = key_id_of(token)
        if key_id is None:
            raise unauthenticated()
        return await self._find(key_id, sha256(token.encode()).digest(), self._peppers.macs(token.encode()), address)

    async def certificate(self, thumbprint: bytes, address: str | None) -> KeyPrincipal:
        """The principal of a certificate, of which its bearer has proved to have the private key. Raises as `find`."""
        key_id = certificate_id(thumbprint)
        digest = sha256(key_id.encode()).digest()
        principal = self._fresh(key_id, digest, address)
        return principal or await self._find(key_id, digest, (thumbprint,), address)

    async def _find(self, key_id: str, digest: bytes, macs: Sequence[bytes], address: str | None) -> KeyPrincipal:
        """`digest` is of what was shown; of it the registry must have one of `macs`, and better the first."""
        if self._refused.get(digest, 0.0) > self._now():
            raise unauthenticated()
        loop = asyncio.get_running_loop()
        if digest not in self._reading:
            # Whoever else comes with this key while the registry is asked waits for the same answer.
            self._reading[digest] = loop.time(), asyncio.ensure_future(self._read(key_id, digest, macs))
            self._reading[digest][1].add_done_callback(partial(self._has_read, digest))
        asked, reading = self._reading[digest]
        verified = self._verified.get(key_id)
        if verified is not None and hmac.compare_digest(verified.digest, digest):
            await asyncio.wait((reading,), timeout=max(0.0, asked + SILENT_S - loop.time()))
            known = reading.result() if reading.done() else self._trusted_in_outage(key_id, digest)
        else:
            known = await asyncio.shield(reading)
        if known is None or not _admits(known.networks, address):
            raise unauthenticated()
        known.address = address
        self._note_use(key_id, address)
        return known.principal

    def _note_use(self, key_id: str, address: str | None) -> None:
        """To be written down with the others: no use costs a statement of its own."""
        if key_id in self._used or len(self._used) < _MAX_USED:
            self._used[key_id] = self._clock.now_us(), address

    def _has_read(self, digest: bytes, reading: asyncio.Future[_Verified | None]) -> None:
        del self._reading[digest]
        # Whoever asked may not have waited: nobody else looks at the error.
        if not reading.cancelled():
            reading.exception()

    async def _read(self, key_id: str, digest: bytes, macs: Sequence[bytes]) -> _Verified | None:
        """Ask the registry; remember the answer unless something was changed meanwhile.

        Keys in use that will be stale soon are asked for along with it: a thousand devices cost a few look-ups.
        """
        began, generation = self._now(), self._generation
        due = list(islice(self._due, _MAX_RENEWED))
        self._due.difference_update(due)
        try:
            records = await self._keys.find_many([key_id, *due])
        except UnavailableError:
            return self._trusted_in_outage(key_id, digest)
        self._outage_since = None
        now_us = self._clock.now_us()
        if generation == self._generation:
            for known_id in due:
                self._renew(known_id, records.get(known_id), began, now_us)
        record = records.get(key_id)
        # The comparison is made for unknown ids, too, so that they take as long.
        kept = record.mac if record else bytes(32)
        fits = [hmac.compare_digest(mac, kept) for mac in macs]
        right = any(fits)
        if record is None or not right or not _is_live(record, now_us):
            self._refused[digest] = began + REFUSED_S
            if len(self._refused) > _MAX_REFUSED:
                self._refused.popitem(last=False)
            if record is None or right:
                self._verified.pop(key_id, None)
            return None
        known = _verified(record, digest, began, now_us)
        if generation == self._generation:
            self._remember(known)
        if not fits[0] and len(self._outdated) < _MAX_VERIFIED:
            self._outdated[key_id] = record.tenant.no, kept, macs[0]
        return known

    def _remember(self, known: _Verified) -> None:
        key_id = known.principal.key_id
        self._verified[key_id] = known
        self._verified.move_to_end(key_id)
        if len(self._verified) > _MAX_VERIFIED:
            self._verified.popitem(last=False)

    def _renew(self, key_id: str, record: KeyRecord | None, began: float, now_us: int) -> None:
        """Trust a key anew that was found right before, or no longer."""
        known = self._verified.get(key_id)
        if known is None:
            return
        if record is None or record.mac != known.mac or not _is_live(record, now_us):
            del self._verified[key_id]
            return
        renewed = _verified(record, known.digest, began, now_us)
        renewed.address = known.address
        self._remember(renewed)
        self._note_use(key_id, known.address)

    def _trusted_in_outage(self, key_id: str, digest: bytes) -> _Verified | None:
        now = self._now()
        if self._outage_since is None:
            self._outage_since = now
        known = self._verified.get(key_id)
        if (
            known is None
            or not hmac.compare_digest(known.digest, digest)
            or now - known.verified > OUTAGE_VERIFIED_S
            or now - self._outage_since > OUTAGE_S
        ):
            raise UnavailableError("the registry cannot be reached and the key was not verified lately")
        if known.expires_us is not None and known.expires_us <= self._clock.now_us():
            return None
        known.fresh_until = now + 1.0
        return known

    async def issue(
        self,
        tenant: Tenant,
        kind: KeyKind,
        *,
        device: Device | None = None,
        name: str = "",
        scopes: frozenset[Scope] = frozenset(),
        expires_us: int | None = None,
        addresses: Sequence[str] = (),
    ) -> tuple[KeyRecord, str]:
        """A new key and its text, which nobody can tell again.

        Raises SliceError CONFLICT when a device would have more than two live keys.
        """
        record, token = self._new(
            KeyRecord(
                key_id="",
                kind=kind,
                tenant=tenant,
                device_no=device.no if device else None,
                device_id=device.id if device else None,
                name=name,
                scopes=scopes,
                addresses=tuple(addresses),
                mac=b"",
                created_us=self._clock.now_us(),
                expires_us=expires_us,
                revoked_us=None,
                last_used_us=None,
            )
        )
        await self._keys.add(record, pepper=self._peppers.name)
        return record, token

    async def register_certificate(
        self, tenant: Tenant, device: Device, thumbprint: bytes, *, name: str, expires_us: int | None
    ) -> KeyRecord:
        """Let a certificate (its SHA-256) stand for a device.

        Raises SliceError CONFLICT when it is registered already, or the device would have more than two live ones.
        """
        record = KeyRecord(
            key_id=certificate_id(thumbprint),
            kind=KeyKind.CERTIFICATE,
            tenant=tenant,
            device_no=device.no,
            device_id=device.id,
            name=name,
            scopes=frozenset({Scope.INGEST}),
            addresses=(),
            mac=thumbprint,
            created_us=self._clock.now_us(),
            expires_us=expires_us,
            revoked_us=None,
            last_used_us=None,
        )
        try:
            await self._keys.add(record, pepper=None)
        finally:
            self.forget_key(record.key_id)
        return record

    async def rotate(self, old: KeyRecord, old_end_us: int, *, expires_us: int | None = None) -> tuple[KeyRecord, str]:
        """A new key like `old`, which ends at `old_end_us` at the latest; a lifetime of its own is granted anew, unless
        `expires_us` says when the new one ends.

        Raises SliceError CONFLICT if `old` is not live, or when a device would have more than two live keys.
        """
        now_us = self._clock.now_us()
        if expires_us is None and old.expires_us is not None:
            expires_us = now_us + old.expires_us - old.created_us
        unused = replace(old, last_used_us=None, last_address=None)
        record, token = self._new(replace(unused, created_us=now_us, expires_us=expires_us))
        try:
            await self._keys.add(record, pepper=self._peppers.name, replaces=(old.key_id, old_end_us))
        finally:
            self.forget_key(old.key_id)
        return record, token

    def ends_soon(self, record: KeyRecord) -> bool:
        """Whether a key is live, ends soon, and is followed by none."""
        now_us, ends_us = self._clock.now_us(), record.expires_us
        is_ending = ends_us is not None and ends_us <= now_us + self.warning_us
        return is_ending and record.replaced_by is None and _is_live(record, now_us)

    def made_of(self, seed: bytes) -> tuple[str, str, bytes]:
        """The key that comes of `seed`, now and whenever it is asked for again under this pepper: id, text, and MAC."""
        key_id, token = token_of(self._peppers.current, seed)
        return key_id, token, self._peppers.mac(token.encode())

    @property
    def pepper(self) -> str:
        """The name of the one under which MACs are made now."""
        return self._peppers.name

    def _new(self, record: KeyRecord) -> tuple[KeyRecord, str]:
        key_id, token = new_token()
        return replace(record, key_id=key_id, mac=self._peppers.mac(token.encode())), token

    async def revoke(self, tenant: TenantNo, key_id: str) -> bool:
        """End a key now; False if the tenant has no such live key."""
        try:
            return await self._keys.revoke(tenant, key_id)
        finally:
            self.forget_key(key_id)

    def forget_key(self, key_id: str) -> None:
        """Ask the registry again at the key's next use."""
        self._generation += 1
        self._verified.pop(key_id, None)

    def forget_device(self, device_no: int) -> None:
        """Ask the registry again for every key of a device."""
        self._forget(lambda principal: isinstance(principal, DeviceKey) and principal.device_no == device_no)

    def forget_tenant(self, tenant: TenantNo) -> None:
        """Ask the registry again for every key of a tenant."""
        self._forget(lambda principal: principal.tenant.no == tenant)

    def _forget(self, matches: Callable[[KeyPrincipal], bool]) -> None:
        self._generation += 1
        for key_id in [key_id for key_id, known in self._verified.items() if matches(known.principal)]:
            del self._verified[key_id]

    async def write_down_use(self) -> None:
        """Tell the registry which keys were used since the last call; those under another pepper are kept anew."""
        if self._used:
            used, self._used = self._used, {}
            await self._keys.touch([(key_id, *use) for key_id, use in used.items()])
        while self._outdated:
            key_id, (tenant, old, new) = next(iter(self._outdated.items()))
            await self._under_peppers.rehash_key(tenant, key_id, old, new, self._peppers.name)
            self._outdated.pop(key_id, None)
