"""The port of answers that may be a moment old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from ..model.events import TenantNo

FRESH_S = 1.0
"""No answer that may still change is older. Whatever tells a client to read again waits as long: it shall read the new.
"""
SETTLED_S = 300.0
"""The same for answers about ranges that ended long ago."""
LONGEST_S = 3600.0
"""No answer whatsoever is older."""

T = TypeVar("T")


class Cache(Protocol):
    """Answers about tenants' data that were just computed, perhaps by another process."""

    async def get(
        self, tenant: TenantNo, question: str, form: type[T], max_age_s: float, load: Callable[[], Awaitable[T]]
    ) -> T:
        """The answer to `question` if one is known that was asked for at most `max_age_s` (≤ `LONGEST_S`) ago, else
        what `load` returns. `form` is the type of the answer: a list, or a class of the model.

        Who asks the same while an answer is loaded, and that for no longer than `max_age_s`, waits for it: one load a
        process. An error is everybody's who waits, and is not kept. When what is kept cannot be reached, it is loaded.
        """

    def forget(self, tenant: TenantNo) -> None:
        """Let every process load anew whatever it is asked about the tenant. Never blocks, never raises."""
