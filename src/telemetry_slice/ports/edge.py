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

HearingListener = Callable[[bool], None]
"""Called with True when all news is heard from now on and what came before may have been missed, and with False when
none is heard until the next True."""

ChangeListener = Callable[[TenantNo | None], None]
"""Called with the tenant whose devices have changed; None when changes of any tenant may have been missed."""


class Bus(Protocol):
    """News between processes, best effort: a lost piece of news is never a lost event, and never lost without a word.

    Every listener is called on the event loop of the process, and must not block.
    """

    def publish(self, message: Message, settlement: Settlement) -> None:
        """Tell whoever listens. Never blocks, never raises.

        A `redelivered` message may have been settled by a process that died before it could tell: the listeners to its
        tenants are told that they may have missed something.
        """

    def listen(
        self, tenant: TenantNo, listener: StoredListener, hearing: HearingListener | None = None
    ) -> Callable[[], None]:
        """Call `listener` for each settled batch of `tenant`; the returned function ends it.

        `hearing` is called with True as soon as the listening has begun, perhaps before this returns.
        """

    def await_outcome(self, message: Message, callback: Callable[[Settlement], None]) -> Callable[[], None]:
        """Call `callback` once with the settlement of `message`, which says `wants_outcome`; the returned function ends
        the wait. Whoever waits has a deadline: the outcome may not come.
        """

    def tell_change(self, tenant: TenantNo) -> None:
        """Tell every process that devices of `tenant` have changed. Never blocks, never raises."""

    def on_change(self, listener: ChangeListener) -> Callable[[], None]:
        """Call `listener` for each change told by any process, this one included; the returned function ends it."""
