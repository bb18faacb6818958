"""Passwords: argon2id in a thread of its own, and a brake on guessing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ...model.errors import Code, SliceError, invalid

T = TypeVar("T")

MIN_PASSWORD = 12
MAX_PASSWORD = 256
_MEMORY_KIB = 19_456
_PASSES = 2
_MAX_WAITING = 64


def check_password(password: str, pointer: str = "/password") -> str:
    """The password, if it is long enough. Raises SliceError INVALID."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise invalid(pointer, f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return password


class Passwords:
    """Hashes and verifies with argon2id (19 MiB, two passes: OWASP's first recommendation), one at a time.

    One thread bounds the memory and leaves the other core to the telemetry.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The argon2id string to keep."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether `password` belongs to `kept`; takes as long for nobody (None) as for somebody."""
        return await self._run(lambda: self._verify(kept, password))

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash("nobody's password")
        try:
            self._hasher.verify(kept or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MAX_WAITING:
            raise SliceError(Code.CAPACITY, "Too many sign-ins are waiting.", retry_after_s=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


class Brake:
    """Lets each name try `burst` times, then once every `per_s / burst` seconds. What succeeded is given back."""

    def __init__(
        self,
        burst: int,
        per_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        doing: str = "sign in",
    ) -> None:
        self._step = per_s / burst
        self._window = per_s
        self._now = monotonic
        self._doing = doing
        self._due: dict[str, float] = {}

    def take(self, name: str) -> None:
        """Count one attempt of `name`. Raises SliceError QUOTA_EXCEEDED when it has had too many."""
        now = self._now()
        due = max(self._due.get(name, now), now) + self._step
        if due - now > self._window + self._step / 2:
            raise SliceError(
                Code.QUOTA_EXCEEDED,
                f"Too many attempts to {self._doing}.",
                retry_after_s=due - now - self._window,
                policy=self._doing.replace(" ", "-"),
            )
        if len(self._due) >= 50_000:
            self._due = {kept: at for kept, at in self._due.items() if at > now}
        self._due[name] = due

    def give_back(self, name: str) -> None:
        """Forget one attempt of `name`."""
        if name in self._due:
            self._due[name] -= self._step
