"""News of stored events for whoever watches: best effort and bounded; a slow reader is cut off, never waited for.

Every watcher has a sequence of its own within the epoch of this process. A gap in the sequence, another epoch or
silence tells it to read again what it missed; nothing here is the truth about what is stored. What the bus may have
missed becomes a gap in every sequence of the tenant.

A watcher that is told to read again reads answers that may be a moment old (`stale_s`). So it is told that much later:
what it then reads holds everything that it may have missed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence

from ..model.errors import Code, SliceError
from ..model.events import EventBatch, Kind, Outcome, TenantNo
from ..model.series import Reading
from ..observe import LIVE_DROPPED, LIVE_SOCKETS
from ..ports.cache import FRESH_S
from ..ports.edge import Bus

FLUSH_S = 0.1
FRAME_READINGS = 500
PENDING_EVENTS = 20_000
WATCHERS_PER_TENANT = 100
_STORED = int(Outcome.STORED)


class Watcher:
    """One connection's view: the stored readings that pass its filter, and whether it still keeps up.

    Attributes:
        cut: set when the watcher fell behind and was cut off.
        deaf: whether no news can be heard at the moment.
    """

    def __init__(
        self,
        device_no: int | None,
        types: Collection[str] | None,
        pending_events: int,
        stale_s: float,
        end: Callable[[Watcher], None],
    ) -> None:
        self.cut = asyncio.Event()
        self.deaf = False
        self._begun = asyncio.Event()
        self._missed = False
        self._device_no = device_no
        self._device_ids: frozenset[str] | None = None
        self._types = None if types is None else frozenset(types)
        self._pending_events = pending_events
        self._stale_s = stale_s
        self._end = end
        self._waiting: deque[tuple[EventBatch, bytes, int]] = deque()
        self._waiting_events = 0
        self._news = asyncio.Event()

    def hear(self, batch: EventBatch, outcomes: bytes, stored_us: int) -> None:
        """Take note of a settled batch; the work on it is the watcher's, when it comes to it."""
        if self.cut.is_set() or (self._device_no is not None and self._device_no not in batch.devices):
            return
        if self._device_ids is not None and self._device_ids.isdisjoint(batch.device_ids):
            return
        stored = outcomes.count(_STORED)
        if not stored:
            return
        self._waiting_events += stored
        if self._waiting_events > self._pending_events:
            self._waiting.clear()
            self.cut.set()
            LIVE_DROPPED.inc()
        else:
            self._waiting.append((batch, outcomes, stored_us))
        self._news.set()

    @property
    def sees_all(self) -> bool:
        """Whether nothing of the tenant is filtered out."""
        return self._device_no is None and self._device_ids is None and self._types is None

    def choose(self, device_ids: Collection[str] | None, types: Collection[str] | None) -> None:
        """See these devices and types from now on, and nothing else; None stands for all of them.

        Ids that the tenant does not have match nothing, until there is something under them.
        """
        self._device_no = None
        self._device_ids = None if device_ids is None else frozenset(device_ids)
        self._types = None if types is None else frozenset(types)

    async def chosen(self) -> None:
        """Wait until what was not seen before the latest choice is in every answer that is read from now on."""
        await asyncio.sleep(self._stale_s)

    def note(self, *, hearing: bool) -> None:
        """The bus hears all from now on, or nothing for the time being; what came before may have been missed."""
        # Before the watcher has begun there is nothing it could have missed, and an outage goes on until it ends.
        if self._begun.is_set() and (hearing or not self.deaf):
            asyncio.get_running_loop().call_later(self._stale_s, self._miss)
        self.deaf = not hearing
        self._begun.set()

    def _miss(self) -> None:
        self._missed = True
        self._news.set()

    async def begun(self, timeout_s: float) -> None:
        """Wait until what is not heard from now on, or seen as missed, is in every answer that is read from now on."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._begun.wait()
        except TimeoutError:
            self._begun.set()
        await asyncio.sleep(self._stale_s)

    async def frames(self) -> AsyncIterator[Sequence[Reading]]:
        """Readings as they are stored, gathered for a moment, at most `FRAME_READINGS` at a time; ends once cut off.

        An empty frame stands for readings that may have been missed; `deaf` may have changed with it. What is stored
        while the caller sends a frame counts against the watcher's bound.
        """
        while not self.cut.is_set():
            await self._news.wait()
            await asyncio.sleep(FLUSH_S / 2)
            self._news.clear()
            if self._missed:
                self._missed = False
                yield ()
            frame: list[Reading] = []
            while self._waiting:
                batch, outcomes, stored_us = self._waiting.popleft()
                self._waiting_events -= outcomes.count(_STORED)
                for reading in self._readings(batch, outcomes, stored_us):
                    frame.append(reading)
                    if len(frame) == FRAME_READINGS:
                        yield frame
                        frame = []
            if frame:
                yield frame

    def _readings(self, batch: EventBatch, outcomes: bytes, stored_us: int) -> Iterator[Reading]:
        for index, outcome in enumerate(outcomes):
            if outcome != _STORED or (self._device_no is not None and batch.devices[index] != self._device_no):
                continue
            if self._device_ids is not None and batch.device_ids[index] not in self._device_ids:
                continue
            event_id = batch.event_id(index)
            for type_, unit, kind, value in batch.measurements[index]:
                if self._types is None or type_ in self._types:
                    yield Reading(
                        event_id,
                        batch.device_ids[index],
                        type_,
                        unit,
                        bool(value) if kind == Kind.BOOLEAN else value,
                        batch.recorded_us[index],
                        batch.received_us,
                        stored_us,
                        batch.keys[index],
                    )

    def leave(self) -> None:
        """Stop watching; a second time does nothing."""
        self._end(self)


class Hub:
    """The watchers of this process, by tenant: one listener on the bus for all of a tenant's watchers.

    No answer that is read is older than `stale_s`.

    Attributes:
        epoch: random, new with every start: sequences of another epoch cannot be compared.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        watchers_per_tenant: int = WATCHERS_PER_TENANT,
        pending_events: int = PENDING_EVENTS,
        stale_s: float = FRESH_S,
    ) -> None:
        self.epoch = secrets.token_hex(8)
        self._bus = bus
        self._watchers_per_tenant = watchers_per_tenant
        self._pending_events = pending_events
        self._stale_s = stale_s
        self._watchers: dict[TenantNo, set[Watcher]] = {}
        self._endings: dict[TenantNo, Callable[[], None]] = {}
        self._hearing: dict[TenantNo, bool] = {}

    def watch(self, tenant: TenantNo, *, device_no: int | None = None, types: Sequence[str] | None = None) -> Watcher:
        """A new watcher of the tenant's stored readings, of one device and some types if given.

        Raises:
            SliceError: QUOTA_EXCEEDED if the tenant has too many.
        """
        watchers = self._watchers.setdefault(tenant, set())
        if len(watchers) >= self._watchers_per_tenant:
            detail = f"This tenant has {len(watchers)} live connections, which is the most there may be."
            raise SliceError(Code.QUOTA_EXCEEDED, detail, retry_after_s=10.0, policy="live-connections")
        watcher = Watcher(
            device_no,
            types or None,
            self._pending_events,
            self._stale_s,
            lambda watcher: self._leave(tenant, watcher),
        )
        watchers.add(watcher)
        LIVE_SOCKETS.inc()
        if tenant not in self._endings:
            self._endings[tenant] = self._bus.listen(
                tenant,
                lambda batch, outcomes, stored_us: self._tell(tenant, batch, outcomes, stored_us),
                lambda hearing: self._note(tenant, hearing=hearing),
            )
        elif tenant in self._hearing:
            watcher.note(hearing=self._hearing[tenant])
        return watcher

    def _note(self, tenant: TenantNo, *, hearing: bool) -> None:
        self._hearing[tenant] = hearing
        for watcher in self._watchers.get(tenant, ()):
            watcher.note(hearing=hearing)

    def _tell(self, tenant: TenantNo, batch: EventBatch, outcomes: bytes, stored_us: int) -> None:
        for watcher in self._watchers.get(tenant, ()):
            watcher.hear(batch, outcomes, stored_us)

    def _leave(self, tenant: TenantNo, watcher: Watcher) -> None:
        watchers = self._watchers.get(tenant, set())
        if watcher not in watchers:
            return
        watchers.discard(watcher)
        LIVE_SOCKETS.dec()
        if not watchers:
            del self._watchers[tenant]
            self._hearing.pop(tenant, None)
            self._endings.pop(tenant)()
