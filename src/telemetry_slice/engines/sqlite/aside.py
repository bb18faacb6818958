"""A second connection in a thread of its own, for what would hold up an append and writes no rows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import apsw

T = TypeVar("T")


class Aside:
    """Carries out one job after the other; SQLite lets the interpreter go while it works."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aside")

    def run(self, job: Callable[[apsw.Connection], T]) -> Future[T]:
        """Give `job` the connection, in the thread."""
        return self._thread.submit(job, self._connection)

    def close(self) -> None:
        """Wait for the job under way."""
        self._thread.shutdown(cancel_futures=True)
        self._connection.close()
