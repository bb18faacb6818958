"""The second factor: time-based codes of an authenticator (RFC 6238), and recovery codes for who has lost it."""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b32encode
from collections.abc import Callable

import pyotp

from ...model.errors import Code, SliceError, invalid
from ...model.peppers import Peppers
from ...model.tenancy import User
from ...model.times import SECOND_US
from ...ports.edge import Clock
from ...ports.signing_in import SecondFactors as Kept
from .passwords import Brake
from .sealing import Seal

PURPOSE = "second factors"
"""What is sealed as such."""
ISSUER = "Telemetry Slice"
STEP_S = 30
RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
_NEIGHBOURS = 1
"""Steps before and after this one whose code is taken, for clocks that differ."""


class SecondFactors:
    """Enrols, asks for and removes second factors. A code is taken once; a recovery code is worth a code."""

    def __init__(
        self, kept: Kept, peppers: Peppers, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept = kept
        self._seal = Seal(peppers, PURPOSE)
        self._clock = clock
        self._brake = Brake(5, 300.0, monotonic)

    async def state(self, user_id: str) -> tuple[bool, int]:
        """Whether a code is asked for, and how many recovery codes are left."""
        factor = await self._kept.get(user_id)
        return (True, factor.recovery_codes) if factor is not None and factor.confirmed else (False, 0)

    async def offer(self, user: User) -> tuple[str, str]:
        """A new secret (base32) and its otpauth URI, to be confirmed. Raises SliceError CONFLICT if there is one."""
        secret = pyotp.random_base32()
        if not await self._kept.offer(user.user_id, self._seal.close(secret, user.user_id)):
            raise SliceError(Code.CONFLICT, "There is a second factor already; remove it first.")
        return secret, pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)

    async def confirm(self, user_id: str, code: str) -> list[str]:
        """Ask for codes from now on; the recovery codes, which are shown this once.

        Raises SliceError INVALID for a wrong code or none offered, QUOTA_EXCEEDED after too many.
        """
        self._brake.take(user_id)
        factor = await self._kept.get(user_id)
        secret = None if factor is None or factor.confirmed else self._seal.open(factor.sealed, user_id)
        step = None if secret is None else self._step_of(secret, code)
        if factor is None or secret is None or step is None:
            raise invalid("/code", "This is not a code of the secret that was offered.")
        codes = [b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
        if not await self._kept.confirm(user_id, factor.sealed, step, [_hash(secret, user_id, each) for each in codes]):
            raise SliceError(Code.CONFLICT, "Another secret has been offered meanwhile.")
        self._brake.give_back(user_id)
        return [f"{each[:4]}-{each[4:8]}-{each[8:12]}-{each[12:]}" for each in codes]

    async def check(self, user_id: str, code: str | None) -> None:
        """Let pass who needs no second factor, or has one.

        Raises:
            SliceError: SECOND_FACTOR_NEEDED without a code, UNAUTHENTICATED for one that is wrong or was taken,
                QUOTA_EXCEEDED after too many.
        """
        factor = await self._kept.get(user_id)
        if factor is None or not factor.confirmed:
            return
        if code is None:
            raise SliceError(Code.SECOND_FACTOR_NEEDED, "A code of your authenticator, or a recovery code, is needed.")
        self._brake.take(user_id)
        taken, secret = False, self._seal.open(factor.sealed, user_id)
        if secret is not None:
            step = self._step_of(secret, code)
            if step is not None:
                taken = await self._kept.use_step(user_id, step)
            else:
                plain = "".join(code.split()).replace("-", "").lower()
                taken = await self._kept.use_recovery(user_id, _hash(secret, user_id, plain))
        if not taken:
            raise SliceError(Code.UNAUTHENTICATED, "The code is not right, or was used already.")
        self._brake.give_back(user_id)

    async def remove(self, user_id: str) -> bool:
        """Ask for none any more; False if there is none."""
        return await self._kept.remove(user_id)

    def _step_of(self, secret: str, code: str) -> int | None:
        """The time step that `code` belongs to, None if it is none of now."""
        plain = "".join(code.split())
        if not (plain.isascii() and plain.isdigit()):
            return None
        now = self._clock.now_us() // SECOND_US // STEP_S
        totp = pyotp.TOTP(secret)
        steps = range(now - _NEIGHBOURS, now + _NEIGHBOURS + 1)
        return next((step for step in steps if hmac.compare_digest(totp.generate_otp(step), plain)), None)


def _hash(secret: str, user_id: str, code: str) -> bytes:
    """Under the secret of the authenticator, which is sealed: so the codes outlive a pepper, as the secret does."""
    return hmac.digest(secret.encode(), f"recovery code of {user_id}: {code}".encode(), "sha256")
