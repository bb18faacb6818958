"""Queue, quotas, news, answers and clock within one process."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog

from ..model.books import HeldMessage
from ..model.errors import QueueFullError, UnavailableError
from ..model.events import Message, Settlement, TenantNo
from ..ports.edge import ChangeListener, HearingListener, Quota, StoredListener, Verdict

SWEEP_S = 1.0
P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()


class SystemClock:
    """The machine's wall clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


class _Held:
    """A message in the queue, the sender that waits for it, and until when (loop time)."""

    __slots__ = ("deadline", "done", "message")

    def __init__(self, message: Message, done: asyncio.Future[None], deadline: float) -> None:
        self.message = message
        self.done = done
        self.deadline = deadline

    def give_up(self, why: str) -> None:
        """Tell the sender that the outcome is unknown."""
        if not self.done.done():
            self.done.set_exception(UnavailableError(why))
            # The exception is for the sender; one that has gone must not raise a warning.
            self.done.exception()


class HandOffQueue:
    """A queue that is durable by waiting: `put` returns when the message has been acked, that is, stored.

    A message whose settlement failed stays and is delivered again, while its sender is told at once that the outcome
    is unknown; the claims of the store make the second delivery harmless.
    """

    def __init__(self, max_events: int, timeout_s: float = 30.0) -> None:
        """Bound the queue, and how long a sender waits before it is told that the outcome is unknown."""
        self._max_events = max_events
        self._timeout_s = timeout_s
        self._events = 0
        # Tenants with waiting messages, in the order of their turns.
        self._lines: OrderedDict[TenantNo, deque[_Held]] = OrderedDict()
        self._held: dict[tuple[bytes, int], _Held] = {}
        self._ready = asyncio.Event()
        self._paused = False
        self._sweeping = False
        # Asked for once: on Python 3.11 each question costs a system call.
        self._loop: asyncio.AbstractEventLoop | None = None

    async def put(self, message: Message) -> None:
        count = message.event_count
        if self._events + count > self._max_events:
            raise QueueFullError
        loop = self._loop = self._loop or asyncio.get_running_loop()
        held = _Held(message, loop.create_future(), loop.time() + self._timeout_s)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(SWEEP_S, self._sweep, loop)
        self._held[message.incarnation, message.sequence] = held
        self._events += count
        self._enqueue(held)
        # A sender that gives up cancels its future only; the message stays.
        await held.done

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all instead of one a message; the oldest come first."""
        now = loop.time()
        for held in self._held.values():
            if held.deadline > now:
                break
            held.give_up("the writer did not answer in time")
        self._sweeping = bool(self._held)
        if self._sweeping:
            loop.call_later(SWEEP_S, self._sweep, loop)

    def _enqueue(self, held: _Held) -> None:
        self._lines.setdefault(held.message.batches[0].tenant, deque()).append(held)
        if not self._paused:
            self._ready.set()

    async def lease(self, max_events: int) -> Sequence[Message]:
        await self._ready.wait()
        leased: list[Message] = []
        wanted = max_events
        while self._lines and wanted > 0:
            tenant, line = self._lines.popitem(last=False)
            # One message a turn: a tenant with a long line waits behind everybody else's next message.
            message = line.popleft().message
            leased.append(message)
            wanted -= message.event_count
            if line:
                self._lines[tenant] = line
        if not self._lines:
            self._ready.clear()
        return leased

    async def ack(self, messages: Sequence[Message]) -> None:
        for message in messages:
            held = self._held.pop((message.incarnation, message.sequence), None)
            if held is not None:
                self._events -= message.event_count
                if not held.done.done():
                    held.done.set_result(None)

    async def retry(self, messages: Sequence[Message], delay_s: float) -> None:
        # A tenant's messages are settled in their order, always: each carries the running total of those before it,
        # and the last one settled before a crash must not announce one that died with the process.
        for message in reversed(messages):
            held = self._held.get((message.incarnation, message.sequence))
            if held is not None:
                held.give_up("the store did not answer")
                self._lines.setdefault(message.batches[0].tenant, deque()).appendleft(held)
        self._paused = True
        self._ready.clear()
        asyncio.get_running_loop().call_later(delay_s, self._resume)

    def _resume(self) -> None:
        self._paused = False
        if self._lines:
            self._ready.set()

    async def held(self) -> Sequence[HeldMessage]:
        return [HeldMessage.of(held.message) for held in self._held.values()]


class _Bucket:
    """What was left at an instant."""

    __slots__ = ("asked", "stamp", "tokens")

    def __init__(self, tokens: float, stamp: float) -> None:
        self.tokens = tokens
        self.stamp = stamp
        self.asked = 0


class TokenBuckets:
    """Quotas as token buckets of one second's size; one that was idle for a second is full and can be forgotten."""

    MAX_BUCKETS = 100_000

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._asked = 0

    async def admit(self, quotas: Sequence[Quota], cost: int) -> Verdict:
        now = self._now_s()
        self._asked += 1
        taken: list[_Bucket] = []
        tightest: Quota | None = None
        share = 2.0
        remaining = 0
        for quota in quotas:
            limit = quota.limit
            bucket = self._buckets.get((quota.policy, quota.key))
            if bucket is None:
                bucket = self._new(quota, now)
            tokens = bucket.tokens + (now - bucket.stamp) * limit
            if tokens > limit:
                tokens = float(limit)
            bucket.tokens, bucket.stamp, bucket.asked = tokens, now, self._asked
            if tokens < cost and tokens < limit:
                needed = min(cost, limit)
                return Verdict(quota, (needed - tokens) / limit, quota, max(0, int(tokens)))
            taken.append(bucket)
            left = (tokens - cost) / limit
            if left < share:
                share, tightest, remaining = left, quota, max(0, int(tokens - cost))
        for bucket in taken:
            bucket.tokens -= cost
        return Verdict(None, 0.0, tightest, remaining)

    def _new(self, quota: Quota, now: float) -> _Bucket:
        if len(self._buckets) >= self.MAX_BUCKETS:
            busy = {key: bucket for key, bucket in self._buckets.items() if now - bucket.stamp < 1}
            if len(busy) >= self.MAX_BUCKETS:
                # Even the busy ones are too many: the half that was asked for last stays.
                latest = sorted(busy.items(), key=lambda item: item[1].asked)
                busy = dict(latest[len(latest) // 2 :])
            self._buckets = busy
        bucket = self._buckets[quota.policy, quota.key] = _Bucket(float(quota.limit), now)
        return bucket


def _tell(listener: Callable[P, None], *news: P.args, **more: P.kwargs) -> None:
    """The writer goes on whatever its listeners do."""
    try:
        listener(*news, **more)
    except Exception:
        log.exception("listener_failed")


class LocalBus:
    """News within one process, delivered in the call that tells it."""

    def __init__(self) -> None:
        self._listeners: dict[TenantNo, set[tuple[StoredListener, HearingListener | None]]] = {}
        self._awaited: dict[tuple[bytes, int], Callable[[Settlement], None]] = {}
        self._on_change: list[ChangeListener] = []

    def publish(self, message: Message, settlement: Settlement) -> None:
        callback = self._awaited.pop((message.incarnation, message.sequence), None)
        if callback is not None:
            _tell(callback, settlement)
        if not self._listeners:
            return
        if settlement.redelivered:
            for batch in message.batches:
                for _, hearing in tuple(self._listeners.get(batch.tenant, ())):
                    if hearing is not None:
                        _tell(hearing, True)
        for batch, outcomes in zip(message.batches, settlement.outcomes, strict=False):
            for listener, _ in tuple(self._listeners.get(batch.tenant, ())):
                _tell(listener, batch, outcomes, settlement.stored_us)

    def listen(
        self, tenant: TenantNo, listener: StoredListener, hearing: HearingListener | None = None
    ) -> Callable[[], None]:
        pair = (listener, hearing)
        self._listeners.setdefault(tenant, set()).add(pair)
        if hearing is not None:
            _tell(hearing, True)

        def end() -> None:
            listeners = self._listeners.get(tenant)
            if listeners is not None:
                listeners.discard(pair)
                if not listeners:
                    del self._listeners[tenant]

        return end

    def await_outcome(self, message: Message, callback: Callable[[Settlement], None]) -> Callable[[], None]:
        key = (message.incarnation, message.sequence)
        self._awaited[key] = callback

        def end() -> None:
            self._awaited.pop(key, None)

        return end

    def tell_change(self, tenant: TenantNo) -> None:
        for listener in tuple(self._on_change):
            _tell(listener, tenant)

    def on_change(self, listener: ChangeListener) -> Callable[[], None]:
        self._on_change.append(listener)

        def end() -> None:
            if listener in self._on_change:
                self._on_change.remove(listener)

        return end


class LocalCache:
    """Answers kept by one process, `max_rows` rows in all (some 200 bytes each), the oldest dropped first.

    With 0 none are kept, and who asks the same at once still shares one load.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic, *, max_rows: int = 200_000) -> None:
        self._now_s = now_s
        self._max_rows = max_rows
        self._rows = 0
        # (when it was asked for, answer), the oldest first.
        self._kept: dict[tuple[TenantNo, str], tuple[float, Any]] = {}
        self._loading: dict[tuple[TenantNo, str], tuple[float, asyncio.Task[Any]]] = {}

    async def get(
        self, tenant: TenantNo, question: str, form: type[T], max_age_s: float, load: Callable[[], Awaitable[T]]
    ) -> T:
        del form
        place = (tenant, question)
        now_s = self._now_s()
        asked_s, answer = self._kept.get(place, (-math.inf, None))
        if now_s - asked_s <= max_age_s:
            known: T = answer
            return known
        asked_s, task = self._loading.get(place, (-math.inf, None))
        if task is None or now_s - asked_s > max_age_s:
            task = asyncio.create_task(self._load(place, now_s, load))
            self._loading[place] = (now_s, task)
            task.add_done_callback(partial(self._loaded, place))
        # Who gives up leaves the load to the others.
        loaded: T = await asyncio.shield(task)
        return loaded

    async def _load(self, place: tuple[TenantNo, str], asked_s: float, load: Callable[[], Awaitable[T]]) -> T:
        answer = await load()
        # A load that was forgotten, or that another has overtaken, is for those who wait for it alone.
        if place in self._loading and self._loading[place][1] is asyncio.current_task():
            self._drop(place)
            self._kept[place] = (asked_s, answer)
            self._rows += _rows(answer)
            while self._rows > self._max_rows:
                self._drop(next(iter(self._kept)))
        return answer

    def _drop(self, place: tuple[TenantNo, str]) -> None:
        if place in self._kept:
            self._rows -= _rows(self._kept.pop(place)[1])

    def _loaded(self, place: tuple[TenantNo, str], task: asyncio.Task[Any]) -> None:
        if place in self._loading and self._loading[place][1] is task:
            del self._loading[place]
        if not task.cancelled():
            # Everybody may have given up; then nobody else looks at the error.
            task.exception()

    def forget(self, tenant: TenantNo) -> None:
        for place in [place for place in self._kept if place[0] == tenant]:
            self._drop(place)
        # What is being loaded may have been read before the change.
        for place in [place for place in self._loading if place[0] == tenant]:
            del self._loading[place]


def _rows(answer: object) -> int:
    """What an answer counts for; an empty one is kept, too."""
    return 1 + (len(answer) if isinstance(answer, list) else 0)
