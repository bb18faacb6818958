"""A few connections, each used by one thread at a time, so that no call outlasts its deadline."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from psycopg import Connection, IsolationLevel
from psycopg.pq import TransactionStatus

from ...model.errors import DataError, UnavailableError
from . import arrays
from .connect import CONNECT, is_alive, sever
from .roles import TELEMETRY_SCHEMA
from .transaction import Session, as_store_error

T = TypeVar("T")

DEADLINE_S = 30.0
"""Longer than the server's own statement_timeout: it strikes when the server does not answer any more."""


class _Call:
    """One call under way: its connection can be severed from the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self.late = False

    def begins(self) -> None:
        if self.late:
            raise UnavailableError("the database did not answer those before")

    def begins_on(self, connection: Connection) -> None:
        with self._lock:
            if self.late:
                raise UnavailableError("there was no answer in time")
            self._connection = connection

    def ends(self) -> None:
        with self._lock:
            self._connection = None

    def give_up(self) -> None:
        with self._lock:
            self.late = True
            if self._connection is not None:
                sever(self._connection)


class Connections:
    """Runs functions in threads, each with a connection of its own.

    Threads rather than psycopg's coroutines: most of a call is packing columns and waiting, both of which leave the
    event loop to its other work, and a wait in C gives up the interpreter lock once a round trip, not once a row.
    """

    def __init__(self, url: str, *, size: int, deadline_s: float = DEADLINE_S) -> None:
        self._url = url
        self._deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="store")
        self._idle: list[Session] = []

    async def run(self, work: Callable[[Session], T], schema: str = TELEMETRY_SCHEMA) -> T:
        """What `work` returns, on the tables of `schema`. It is carried to its end also when the caller is cancelled.

        Raises:
            DataError: a value cannot be kept.
            UnavailableError: the database cannot be reached or does not answer in time; the outcome is unknown.
        """
        loop = asyncio.get_running_loop()
        call = _Call()
        # Whoever waits for a thread has waited, too: all that asked when the server fell silent give up together.
        timer = loop.call_later(self._deadline_s, call.give_up)

        def ended(done: asyncio.Future[T]) -> None:
            timer.cancel()
            # Whoever asked may be gone: nobody else looks at the error.
            if not done.cancelled():
                done.exception()

        future = loop.run_in_executor(self._threads, self._call, call, work, schema)
        future.add_done_callback(ended)
        return await asyncio.shield(future)

    def _call(self, call: _Call, work: Callable[[Session], T], schema: str) -> T:
        connection: Session | None = None
        call.begins()
        try:
            connection = self._take()
            connection.schema = schema
            call.begins_on(connection)
            result = work(connection)
        except Exception as error:
            call.ends()
            told = as_store_error(error)
            if isinstance(told, DataError) and connection is not None and _is_ready(connection):
                self._idle.append(connection)
            else:
                # Others may have died with it, as all do with the server.
                self._drop_idle()
                if connection is not None:
                    connection.close()
            if told is error:
                raise
            raise told from error
        call.ends()
        if call.late:
            connection.close()
        else:
            self._idle.append(connection)
        return result

    def _take(self) -> Session:
        while self._idle:
            with suppress(IndexError):
                idle = self._idle.pop()
                if is_alive(idle):
                    return idle
                idle.close()
        connection = Session.connect(self._url, **CONNECT)
        arrays.register(connection.adapters)
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        return connection

    def _drop_idle(self) -> None:
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def close(self) -> None:
        """Wait for the calls under way, then close every connection."""
        self._threads.shutdown()
        self._drop_idle()


def _is_ready(connection: Connection) -> bool:
    """Whether it is open, with no transaction left over."""
    return not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE
