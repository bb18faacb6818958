"""Ports of the moment: time, quotas, and the news of what was stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..model.events import EventBatch, Message, Settlement, TenantNo


class Clock(Protocol):
    """Wall-clock time."""

    def now_us(self) -> int:
        """Microseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Quota:
    """`limit` units a second for `key`, named `policy` to the outside."""

    policy: str
    key: str
    limit: int


class Verdict(NamedTuple):
    """Whether all quotas admit the request.

    Attributes:
        broken: the first quota that refuses, None if admitted.
        retry_after_s: when `broken` would admit it.
        tightest: the quota with the least left in proportion, with `remaining` units; None without quotas.
    """

    broken: Quota | None
    retry_after_s: float
    tightest: Quota | None
    remaining: int


class Limiter(Protocol):
    """Admits or refuses by several quotas at once."""

    async def admit(self, quotas: Sequence[Quota], cost: int) -> Verdict:
        """Take `cost` units from every quota, or, when one refuses, from none.

        A bucket holds one second's worth. A cost above it is admitted only from a full bucket and then owed.
        """


StoredListener = Callable[[EventBatch, bytes, int], None]
"""Called with a settled batch, its outcome bytes and stored_us."""


class Bus(Protocol):
    """News of settled messages, best effort: a lost piece of news is never a lost event."""

    def publish(self, message: Message, settlement: Settlement) -> None:
        """Tell whoever listens. Never blocks, never raises."""

    def listen(self, tenant: TenantNo, listener: StoredListener) -> Callable[[], None]:
        """Call `listener` for each settled batch of `tenant`; the returned function ends it."""

    def await_outcome(self, message: Message, callback: Callable[[Settlement], None]) -> Callable[[], None]:
        """Call `callback` once with the settlement of `message`; the returned function ends the wait."""
