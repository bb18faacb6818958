"""News between processes over publish and subscribe, with every loss noticed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import ParamSpec

import structlog

from ...model.events import Message, Settlement, TenantNo
from ...observe import NEWS_GAPS
from ...ports.edge import ChangeListener, HearingListener, StoredListener
from .connection import Link, Outage, Server, keep_up, within
from .news import (
    CHANGES,
    COUNTS,
    MARK,
    MARKS,
    OUTCOMES,
    UnknownNewsError,
    channel_of,
    decode_change,
    decode_mark,
    decode_news,
    decode_outcome,
    encode_change,
    encode_news,
    encode_outcome,
    new_epoch,
    split,
)
from .telling import ANSWER_S, Telling

MARK_S = 1.0
"""How often a listening process compares what it has heard with what was told."""
SILENCE_S = 3.0
"""A mark comes back within moments; a longer silence is a dead connection."""

P = ParamSpec("P")

log = structlog.get_logger()


def _call(listener: Callable[P, None], *news: P.args, **more: P.kwargs) -> None:
    try:
        listener(*news, **more)
    except Exception:
        log.exception("listener_failed")


class _Channel:
    """Who listens to a tenant, and the (epoch, sequence) heard last; None until all is heard."""

    def __init__(self) -> None:
        self.listeners: set[tuple[StoredListener, HearingListener | None]] = set()
        self.at: tuple[str, int] | None = None

    def hearing(self, *, all_is_heard: bool) -> None:
        for _, hearing in tuple(self.listeners):
            if hearing is not None:
                _call(hearing, all_is_heard)


class RedisBus:
    """The bus of several processes. Who only publishes holds one connection; who listens, two more.

    Once a second a listening process has a mark sent to itself through its own subscription: it says how much was told
    on each of its channels, so that a loss at the end is seen as one in the middle is, and its absence says that
    nothing is heard.
    """

    def __init__(self, url: str) -> None:
        self._server = Server(url)
        self._telling = Telling(self._server)
        self._channels: dict[str, _Channel] = {}
        self._awaited: dict[tuple[bytes, int], Callable[[Settlement], None]] = {}
        self._incarnations: set[bytes] = set()
        self._on_change: list[ChangeListener] = []
        self._changes_at: tuple[str, int] | None = None
        self._marks = MARKS + secrets.token_hex(8)
        self._confirmed: set[str] = set()
        self._wanted = asyncio.Event()
        self._outage = Outage("listening")
        self._started = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; when the server is away that is an outage, not an error."""
        self._started = True
        await self._telling.start()
        if self._channels or self._on_change or self._incarnations:
            self._want()

    async def stop(self) -> None:
        """Tell what is left and hear no more."""
        self._started = False
        await self._telling.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    # -------------------------------------------------------------------------------------------------- the port
    def publish(self, message: Message, settlement: Settlement) -> None:
        try:
            self._publish(message, settlement)
        except Exception:
            # The writer goes on whatever becomes of its news.
            log.exception("news_failed")

    def _publish(self, message: Message, settlement: Settlement) -> None:
        tell = self._telling.tell
        if message.wants_outcome:
            body = encode_outcome(message.sequence, settlement)
            tell(OUTCOMES + message.incarnation.hex(), body, counted=False)
        if settlement.redelivered:
            for batch in message.batches:
                tell(channel_of(batch.tenant), b"")
            return
        for batch, outcomes in zip(message.batches, settlement.outcomes, strict=False):
            said = partial(encode_news, batch, outcomes, settlement.stored_us)
            self._telling.tell_of(channel_of(batch.tenant), len(batch), said)

    def listen(
        self, tenant: TenantNo, listener: StoredListener, hearing: HearingListener | None = None
    ) -> Callable[[], None]:
        name = channel_of(tenant)
        channel = self._channels.setdefault(name, _Channel())
        pair = (listener, hearing)
        channel.listeners.add(pair)
        if hearing is not None and (channel.at is not None or self._outage.on):
            _call(hearing, channel.at is not None)
        self._want()

        def end() -> None:
            channel.listeners.discard(pair)
            if not channel.listeners and self._channels.get(name) is channel:
                del self._channels[name]
                self._wanted.set()

        return end

    def await_outcome(self, message: Message, callback: Callable[[Settlement], None]) -> Callable[[], None]:
        key = (message.incarnation, message.sequence)
        self._awaited[key] = callback
        self.expect_outcomes(message.incarnation)

        def end() -> None:
            self._awaited.pop(key, None)

        return end

    def expect_outcomes(self, incarnation: bytes) -> None:
        """Listen for the outcomes of a gate's messages, for good: said beforehand, the first wait misses nothing."""
        if incarnation not in self._incarnations:
            self._incarnations.add(incarnation)
            self._want()

    def tell_change(self, tenant: TenantNo) -> None:
        self._changed(tenant)
        self._telling.tell(CHANGES, encode_change(tenant))

    def on_change(self, listener: ChangeListener) -> Callable[[], None]:
        self._on_change.append(listener)
        self._want()

        def end() -> None:
            if listener in self._on_change:
                self._on_change.remove(listener)

        return end

    # ------------------------------------------------------------------------------------------------- listening
    def _want(self) -> None:
        """Let the channels that are wanted now be subscribed to."""
        self._wanted.set()
        if self._started and self._task is None:
            self._task = asyncio.create_task(keep_up(self._outage, self._live, self._deaf))

    def _names(self) -> Iterator[str]:
        yield self._marks
        yield CHANGES
        yield from self._channels
        for incarnation in self._incarnations:
            yield OUTCOMES + incarnation.hex()

    async def _live(self) -> None:
        link = await self._server.connect()
        try:
            asking = await self._server.connect()
            try:
                reading = asyncio.ensure_future(self._read(link))
                following = asyncio.ensure_future(self._follow(link, asking))
                try:
                    await asyncio.wait((reading, following), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (reading, following):
                        task.cancel()
                    ended = await asyncio.gather(reading, following, return_exceptions=True)
                for result in ended:
                    if isinstance(result, Exception):
                        raise result
            finally:
                await asking.close()
        finally:
            await link.close()
            self._confirmed.clear()
            self._changes_at = None
            for channel in self._channels.values():
                channel.at = None

    def _deaf(self) -> None:
        """Said with every life that ended: whoever keeps what may change forgets it again and again meanwhile."""
        for channel in tuple(self._channels.values()):
            channel.hearing(all_is_heard=False)
        self._changed(None)

    async def _follow(self, link: Link, asking: Link) -> None:
        """Subscribe to what is wanted and ask for marks."""
        subscribed: set[str] = set()
        while True:
            self._wanted.clear()
            wanted = set(self._names())
            if wanted - subscribed:
                await within(ANSWER_S, link.send("SUBSCRIBE", *(wanted - subscribed)))
            if subscribed - wanted:
                await within(ANSWER_S, link.send("UNSUBSCRIBE", *(subscribed - wanted)))
            subscribed = wanted
            await within(ANSWER_S, MARK.run(asking, COUNTS, new_epoch(), self._marks, CHANGES, *self._channels))
            try:
                async with asyncio.timeout(MARK_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def _read(self, link: Link) -> None:
        while True:
            async with asyncio.timeout(SILENCE_S):
                kind, encoded, data = await link.read()
            name = encoded.decode()
            if kind == b"message":
                self._hear(name, data)
            elif kind == b"subscribe":
                # A mark that is asked for now comes after everything that was told before the subscription.
                self._confirmed.add(name)
                self._wanted.set()
            elif kind == b"unsubscribe":
                self._confirmed.discard(name)

    def _hear(self, name: str, data: bytes) -> None:
        if name == self._marks:
            self._compare(*decode_mark(data))
        elif name.startswith(OUTCOMES):
            self._learn(bytes.fromhex(name.removeprefix(OUTCOMES)), data)
        elif name == CHANGES:
            self._hear_change(data)
        else:
            channel = self._channels.get(name)
            if channel is not None:
                self._hear_news(channel, data)

    def _hear_news(self, channel: _Channel, data: bytes) -> None:
        at, body = split(data)
        missed = not body or not _follows(at, channel.at)
        if channel.at is not None:
            channel.at = at
        if body:
            try:
                batch, outcomes, stored_us = decode_news(body)
            except UnknownNewsError:
                missed = True
            else:
                for listener, _ in tuple(channel.listeners):
                    _call(listener, batch, outcomes, stored_us)
        if missed:
            NEWS_GAPS.inc()
            channel.hearing(all_is_heard=True)

    def _hear_change(self, data: bytes) -> None:
        at, body = split(data)
        tenant: TenantNo | None = None
        if _follows(at, self._changes_at):
            try:
                tenant = decode_change(body)
            except UnknownNewsError:
                tenant = None
        if self._changes_at is not None:
            self._changes_at = at
        self._changed(tenant)

    def _compare(self, epoch: str, sequences: dict[str, int]) -> None:
        """What was told until the mark against what was heard until the mark."""
        self._outage.end()
        for name, sequence in sequences.items():
            at = (epoch, sequence)
            if name not in self._confirmed:
                continue
            if name == CHANGES:
                if self._changes_at != at:
                    self._changes_at = at
                    self._changed(None)
                continue
            channel = self._channels.get(name)
            if channel is not None and channel.at != at:
                if channel.at is not None:
                    NEWS_GAPS.inc()
                channel.at = at
                channel.hearing(all_is_heard=True)

    def _learn(self, incarnation: bytes, data: bytes) -> None:
        try:
            sequence, settlement = decode_outcome(data)
        except UnknownNewsError:
            return
        callback = self._awaited.pop((incarnation, sequence), None)
        if callback is not None:
            _call(callback, settlement)

    def _changed(self, tenant: TenantNo | None) -> None:
        for listener in tuple(self._on_change):
            _call(listener, tenant)


def _follows(at: tuple[str, int], before: tuple[str, int] | None) -> bool:
    """Whether nothing was told in between; unknown, and so not doubted, while it is not known what came before."""
    return before is None or at == (before[0], before[1] + 1)
