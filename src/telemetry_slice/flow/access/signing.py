"""The keys of access tokens: which one signs, which are still believed, and how one follows another.

They live in the registry, so that every process has the same ones. A key is published a day before it signs, and kept
until the last token that it has signed has ended: whoever verifies with the published set never meets a stranger.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog

from ...model.errors import UnavailableError
from ...model.peppers import Peppers
from ...model.times import DAY_US, SECOND_US
from ...ports.edge import Clock
from ...ports.signing_in import SigningKeyRecord, SigningKeys
from .sealing import Seal
from .tokens import LIFETIME_S, Signer, new_signing_key

log = structlog.get_logger()

PURPOSE = "signing keys"
"""What is sealed as such."""
AHEAD_US = DAY_US
FRESH_S = 4.0
_STRANGER_S = 1.0
"""How often, at most, a name that is not known makes the registry be read before its time."""
_KEPT_US = (LIFETIME_S + 60) * SECOND_US


class Rotation(NamedTuple):
    """What a rotation came to: the kid of the key that was published, and of how many older ones nothing is left."""

    published: str | None
    forgotten: int


class Signers:
    """The keys of the registry, read again every few seconds while they are used.

    Where the registry has none yet, the data folder's own key becomes the first, so that tokens of before stay good.
    """

    def __init__(
        self,
        keys: SigningKeys,
        peppers: Peppers,
        first: Signer,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._seal = Seal(peppers, PURPOSE)
        self._first = first
        self._clock = clock
        self._now = monotonic
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._records: Sequence[SigningKeyRecord] = ()
        self._signers: dict[str, Signer] = {}
        """By kid, in the order in which they sign."""

    async def current(self) -> Signer:
        """The one that signs now. Raises UnavailableError."""
        await self._refresh(FRESH_S)
        now_us = self._clock.now_us()
        due = [record.kid for record in self._records if record.signs_from_us <= now_us and record.kid in self._signers]
        if not due:
            raise UnavailableError("no signing key of the registry can be read with the secrets of this folder")
        return self._signers[due[-1]]

    async def named(self, kid: str) -> Signer | None:
        """The one of this name, None if there is none (any more). Raises UnavailableError."""
        await self._refresh(FRESH_S)
        if kid not in self._signers:
            await self._refresh(_STRANGER_S)
        return self._signers.get(kid)

    async def jwks(self) -> dict[str, Any]:
        """The public keys, that of the future included, as a JWK set. Raises UnavailableError."""
        await self._refresh(FRESH_S)
        return {"keys": [signer.public_jwk() for signer in self._signers.values()]}

    async def rotate(self, period_us: int) -> Rotation:
        """Publish the next key when the newest will soon have signed for so long, and forget those whose tokens have
        ended. Several processes may do it.

        Raises UnavailableError.
        """
        records, published, forgotten = await self._keys.list(), None, 0
        if not records:
            return Rotation(None, 0)
        now_us, newest = self._clock.now_us(), records[-1]
        if self._open(newest) is None:
            return Rotation(None, 0)
        # The first one is the folder's, and as old as that; it signs from the beginning of time.
        next_from_us = max(newest.signs_from_us + period_us, now_us + min(AHEAD_US, period_us // 2))
        if newest.signs_from_us <= now_us and next_from_us - now_us <= AHEAD_US:
            signer = Signer(new_signing_key())
            record = SigningKeyRecord(newest.number + 1, signer.kid, self._sealed(signer), next_from_us)
            if await self._keys.add(record):
                published = signer.kid
                log.info("signing_key_published", kid=signer.kid, signs_from_us=next_from_us)
        signing = [record for record in records if record.signs_from_us + _KEPT_US <= now_us]
        if signing and signing[-1].number > records[0].number:
            await self._keys.remove_before(signing[-1].number)
            forgotten = sum(record.number < signing[-1].number for record in records)
        self._read_at = None
        return Rotation(published, forgotten)

    async def _refresh(self, fresh_s: float) -> None:
        """Read the registry unless that was done within `fresh_s`; while it is away, what was read goes on."""
        if self._is_fresh(fresh_s):
            return
        async with self._reading:
            if self._is_fresh(fresh_s):
                return
            try:
                await self._read()
            except UnavailableError:
                if not self._signers:
                    raise
            self._read_at = self._now()

    def _is_fresh(self, fresh_s: float) -> bool:
        return self._read_at is not None and self._now() - self._read_at < fresh_s

    async def _read(self) -> None:
        records = await self._keys.list()
        if not records:
            await self._keys.add(SigningKeyRecord(1, self._first.kid, self._sealed(self._first), 0))
            records = await self._keys.list()
        known = self._signers
        opened = {record.kid: known.get(record.kid) or self._open(record) for record in records}
        self._records = records
        self._signers = {kid: signer for kid, signer in opened.items() if signer is not None}

    def _sealed(self, signer: Signer) -> str:
        """RFC 7517, 7: an encrypted JWK."""
        return self._seal.close(json.dumps(signer.private_jwk()), signer.kid)

    def _open(self, record: SigningKeyRecord) -> Signer | None:
        content = self._seal.open(record.sealed, record.kid)
        signer = None if content is None else Signer(json.loads(content))
        if signer is None or signer.kid != record.kid:
            log.error("signing_key_not_readable", kid=record.kid, hint="is secrets.json that of the installation?")
            return None
        return signer
