"""Connections that never hang: made with a deadline, asked with a deadline, closed at the first doubt."""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from ...observe import REDIS_AWAY

PREFIX = "tslice:"
CONNECT_S = 1.0
RETRY_S = 1.0
GRACE_S = 0.005
OUTAGES = (RedisError, OSError)
"""What is raised when the server is away, slow, full, or still loading; TimeoutError is an OSError."""

T = TypeVar("T")
Argument = str | bytes | int

log = structlog.get_logger()


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises TimeoutError when there is none after `seconds`.

    An answer that arrived while this process itself stood still is an answer: only silence counts.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait((task,), timeout=seconds)
        if not done:
            done, _ = await asyncio.wait((task,), timeout=GRACE_S)
        if not done:
            raise TimeoutError(f"no answer within {seconds:g} s")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=CONNECT_S)


class Link:
    """One connection. After any error or cancellation it is of no use any more: answers would go to the wrong call."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def _check(self) -> None:
        # The library would connect again by itself, to a server that knows nothing of this connection.
        if not self._connection.is_connected:
            raise ConnectionError("the connection is closed")

    async def ask(self, *commands: Sequence[Argument]) -> list[Any]:
        """The answers to `commands`, sent at once. Raises what is in `OUTAGES`, also for a refused command."""
        self._check()
        await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        # All are read before one is raised: an unread answer would be taken for that of the next call.
        answers: list[Any] = []
        failure: RedisError | None = None
        for _ in commands:
            try:
                answers.append(await self._connection.read_response())
            except RedisError as error:
                if not self._connection.is_connected:
                    raise
                failure = error
        if failure is not None:
            raise failure
        return answers

    async def send(self, *command: Argument) -> None:
        """Send without reading, for a connection that listens."""
        self._check()
        await self._connection.send_packed_command(self._connection.pack_command(*command), check_health=False)

    async def read(self) -> Any:
        """The next thing the server says."""
        return await self._connection.read_response()

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)


class Server:
    """Where connections come from. `url` is redis://, rediss:// or unix://, with credentials and database."""

    def __init__(self, url: str) -> None:
        self._pool: Any = ConnectionPool.from_url(
            url,
            # RESP2: what every version and every managed service speaks, and nothing is pushed uninvited.
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=CONNECT_S,
            driver_info=None,
        )

    async def connect(self) -> Link:
        """A connection on which the server has answered. Raises what is in `OUTAGES`, within about `CONNECT_S`."""
        connection = self._pool.make_connection()
        link = Link(connection)

        async def open_and_ask() -> None:
            await connection.connect()
            await link.ask(("PING",))

        try:
            await within(CONNECT_S, open_and_ask())
        except BaseException:
            await link.close()
            raise
        return link


class Script:
    """A Lua script, sent by its hash; in full when the server does not know it (any more)."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._hash = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, link: Link, keys: Sequence[str], *arguments: Argument) -> Any:
        try:
            return (await link.ask(("EVALSHA", self._hash, len(keys), *keys, *arguments)))[0]
        except NoScriptError:
            return (await link.ask(("EVAL", self._source, len(keys), *keys, *arguments)))[0]


class Outage:
    """Says once that a part of this process does without the server, and once that it is back.

    Attributes:
        on: whether the part does without.
        known: set once it is known whether the server is there.
    """

    def __init__(self, part: str) -> None:
        self.on = False
        self.known = asyncio.Event()
        self._part = part
        self._gauge = REDIS_AWAY.labels(part)

    def begin(self, error: BaseException) -> None:
        self.known.set()
        if not self.on:
            self.on = True
            self._gauge.set(1)
            log.warning("redis_away", part=self._part, error=str(error) or type(error).__name__)

    def end(self) -> None:
        self.known.set()
        if self.on:
            self.on = False
            self._gauge.set(0)
            log.info("redis_back", part=self._part)


async def keep_up(
    outage: Outage, live: Callable[[], Coroutine[Any, Any, None]], away: Callable[[], None] = lambda: None
) -> None:
    """Call `live`, the life of a connection, again and again, and `away` after each that ended.

    `live` ends the outage itself once it knows that the server answers.
    """
    while True:
        try:
            await live()
        except OUTAGES as error:
            outage.begin(error)
        except Exception as error:
            # A defect of ours: the part does without the server, and the next life may be better.
            log.exception("redis_part_failed")
            outage.begin(error)
        away()
        await asyncio.sleep(RETRY_S)


class Connected(ABC):
    """A part that holds one connection while it is started."""

    def __init__(self, part: str) -> None:
        self._outage = Outage(part)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; when the server is away that is an outage, not an error."""
        self._task = asyncio.create_task(keep_up(self._outage, self._live))
        await self._outage.known.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    @abstractmethod
    async def _live(self) -> None:
        """The life of the connection, as in `keep_up`."""
