"""Questions that share a transaction: while one is asked, what is wanted meanwhile gathers for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

G = TypeVar("G", bound=Hashable)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST = 1_000
"""Things in one question to the database."""
PATIENCE_S = 1.0
"""A question that is not answered by then holds nobody up: the next is asked beside it."""


class Together(Generic[G, K, V]):
    """What is wanted of one group at the same time is asked for together.

    A transaction costs much more than a row of it. So a fleet whose thousand devices come with a key of their own each
    costs a few transactions, not a thousand. Nobody waits for others to come, and nobody is given an answer to a
    question that was asked before its own.
    """

    def __init__(self, ask: Callable[[G, Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._ask = ask
        self._gathering: dict[G, tuple[set[K], asyncio.Task[dict[K, V]]]] = {}
        self._asking: dict[G, asyncio.Task[dict[K, V]]] = {}

    async def __call__(self, group: G, wanted: Sequence[K]) -> dict[K, V]:
        """What is known of `wanted`. Raises what asking raises, also for what others wanted."""
        if not wanted:
            return {}
        if group not in self._gathering or self._gathering[group][1].done():
            together: set[K] = set()
            task = asyncio.create_task(self._ask_next(group, together))
            task.add_done_callback(_heard)
            self._gathering[group] = together, task
        together, task = self._gathering[group]
        together.update(wanted)
        found = await asyncio.shield(task)
        return {each: found[each] for each in wanted if each in found}

    async def _ask_next(self, group: G, together: set[K]) -> dict[K, V]:
        if (before := self._asking.get(group)) is not None:
            await asyncio.wait((before,), timeout=PATIENCE_S)
        # Whoever comes from now on is asked for next.
        task = self._gathering.pop(group)[1]
        self._asking[group] = task
        try:
            wanted, found = list(together), dict[K, V]()
            for start in range(0, len(wanted), MOST):
                found |= await self._ask(group, wanted[start : start + MOST])
            return found
        finally:
            if self._asking.get(group) is task:
                del self._asking[group]


def _heard(task: asyncio.Task[dict[K, V]]) -> None:
    """Whoever asked may be gone: nobody else looks at the error."""
    if not task.cancelled():
        task.exception()
