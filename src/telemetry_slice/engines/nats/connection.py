"""One connection to the servers at a time, made anew for ever."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError

from ...model.errors import UnavailableError

log = structlog.get_logger()

RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts to connect."""
PING_S = 2
SILENT_PINGS = 2
CLOSE_S = 2.0
HEAR_S = 0.5

Prepare = Callable[["Session"], Awaitable[None]]


class Session:
    """What lasts as long as one connection.

    Attributes:
        lost: done when the connection is gone.
    """

    def __init__(self, client: Client, lost: asyncio.Future[None]) -> None:
        self.client = client
        self.lost = lost

    @property
    def alive(self) -> bool:
        return not self.lost.done()

    @property
    def server_id(self) -> str | None:
        """The id of the server behind the connection, as its monitoring endpoint tells it too."""
        found = self.client._server_info.get("server_id")  # noqa: SLF001  # the client does not tell it otherwise
        return None if found is None else str(found)

    def drop(self, why: str) -> None:
        """Give the connection up: it seems dead."""
        if self.alive:
            log.warning("queue_connection_dropped", error=why)
            self.lost.set_result(None)

    async def request(
        self, subject: str, payload: bytes, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """Ask and wait for the answer.

        Raises:
            UnavailableError: none came in time, nobody listens, or the connection was lost meanwhile.
        """
        asked = asyncio.ensure_future(self.client.request(subject, payload, timeout=timeout_s, headers=headers))
        try:
            with _told():
                # A little longer than the client's own deadline: that one does not cover sending.
                either: set[asyncio.Future[Any]] = {asked, self.lost}
                await asyncio.wait(either, timeout=timeout_s + 0.1, return_when=asyncio.FIRST_COMPLETED)
                if not asked.done():
                    raise UnavailableError("the connection was lost" if self.lost.done() else "no answer in time")
                return asked.result()
        finally:
            asked.cancel()

    @contextlib.asynccontextmanager
    async def subscribed(
        self, subject: str, receive: Callable[[Msg], Awaitable[None]], timeout_s: float
    ) -> AsyncIterator[None]:
        """Hand what comes on `subject` to `receive`. Raises UnavailableError."""
        with _told():
            async with asyncio.timeout(timeout_s):
                subscription = await self.client.subscribe(subject, cb=receive)
        try:
            yield
        finally:
            # On a connection that is gone there is nothing to end.
            with contextlib.suppress(UnavailableError), _told():
                async with asyncio.timeout(timeout_s):
                    await subscription.unsubscribe()

    async def send(self, subject: str, payload: bytes, timeout_s: float, reply: str = "") -> None:
        """Send without an answer. Raises UnavailableError."""
        with _told():
            async with asyncio.timeout(timeout_s):
                await self.client.publish(subject, payload, reply=reply)


class Connection:
    """Keeps one session open; a new one is used only after `prepare` has found everything in order."""

    def __init__(self, urls: tuple[str, ...], name: str, prepare: Prepare, timeout_s: float) -> None:
        self._addresses, self._user, self._password = _without_credentials(urls)
        self._name = name
        self._prepare = prepare
        self._timeout_s = timeout_s
        self._session: Session | None = None
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the first session. Raises UnavailableError, or what `prepare` raises."""
        session = await self._open()
        self._keeper = asyncio.create_task(self._keep(session))

    async def close(self) -> None:
        if self._keeper:
            await ended(self._keeper)
        if self._session:
            session, self._session = self._session, None
            await _shut(session.client)

    @property
    def session(self) -> Session | None:
        """The open session, None while there is none."""
        return self._session if self._session and self._session.alive else None

    async def opened(self) -> Session:
        """Wait for a session, for as long as it takes."""
        while (session := self.session) is None:
            self._changed.clear()
            await self._changed.wait()
        return session

    async def _keep(self, session: Session) -> None:
        while True:
            await asyncio.wait({session.lost})
            self._session = None
            log.warning("queue_disconnected", lane=self._name)
            await _shut(session.client)
            failures = 0
            while True:
                try:
                    session = await self._open()
                except Exception as error:  # noqa: BLE001  # a defect too: a lane is worth nothing without its connection
                    tell = log.warning if isinstance(error, UnavailableError) else log.error
                    tell("queue_unreachable", lane=self._name, error=str(error) or type(error).__name__)
                    pause_s = RETRY_S[min(failures, len(RETRY_S) - 1)]
                    failures += 1
                    await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # nosec B311  # noqa: S311 - jitter
                else:
                    log.info("queue_reconnected", lane=self._name)
                    break

    async def _open(self) -> Session:
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def closed() -> None:
            if not lost.done():
                lost.set_result(None)

        client = Client()
        session = Session(client, lost)
        try:
            with _told("no server can be reached: "):
                async with asyncio.timeout(2 * self._timeout_s):
                    await client.connect(
                        self._addresses,
                        user=self._user,
                        password=self._password,
                        name=self._name,
                        error_cb=_note,
                        closed_cb=closed,
                        # Reconnecting is ours: what was in flight must be decided before anything else is sent.
                        allow_reconnect=False,
                        max_reconnect_attempts=1,
                        reconnect_time_wait=0,
                        connect_timeout=max(1, round(self._timeout_s)),
                        ping_interval=PING_S,
                        max_outstanding_pings=SILENT_PINGS,
                        flush_timeout=self._timeout_s,
                    )
                await self._prepare(session)
        except BaseException:
            await _shut(client)
            raise
        self._session = session
        self._changed.set()
        return session


def _without_credentials(urls: Sequence[str]) -> tuple[list[str], str | None, str | None]:
    """The addresses, and the user and password that one of `urls` holds: the client does not decode them."""
    user = password = None
    addresses = []
    for url in urls:
        parts = urlsplit(url)
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
        addresses.append(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    return addresses, user, password


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they have heard it: now and then the client swallows a cancellation, and they go on."""
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=HEAR_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()


@contextlib.contextmanager
def _told(about: str = "") -> Iterator[None]:
    """Errors of the client as UnavailableError.

    A client that is closed cancels what it was asked for: to whoever waits that is a lost connection, not the end.
    """
    try:
        yield
    except NoRespondersError:
        raise UnavailableError(f"{about}nobody answers for the stream") from None
    except (Error, OSError, TimeoutError) as error:
        raise UnavailableError(f"{about}{str(error) or type(error).__name__}") from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise UnavailableError(f"{about}the connection was closed") from None


async def _note(error: Exception) -> None:
    log.debug("queue_client", error=str(error) or type(error).__name__)


async def _shut(client: Client) -> None:
    """Close within a deadline, whatever state the client is in."""
    try:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await client.close()
    finally:
        # One that was interrupted while it connected, or whose server is silent, leaves its socket open.
        writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001  # the client has no other way
        if writer is not None:
            writer.transport.abort()
