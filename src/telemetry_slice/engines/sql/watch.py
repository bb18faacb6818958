"""Ending a call of another thread that takes too long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from ...model.errors import UnavailableError


class Watch:
    """Interrupts a call from the event loop while it runs, never the next call on the same connection.

    Attributes:
        interrupted: whether it was.
    """

    def __init__(self, interrupt: Callable[[Any], None]) -> None:
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None
        self.interrupted = False

    def check(self) -> None:
        """Raise UnavailableError if it was interrupted before it began."""
        if self.interrupted:
            raise UnavailableError("interrupted before it began")

    @contextmanager
    def over(self, connection: Connection) -> Iterator[None]:
        """Let `interrupt` reach `connection`. Raises UnavailableError if it came before."""
        driver: Any = connection.connection.driver_connection
        with self._lock:
            self.check()
            self._stop = lambda: self._interrupt(driver)
        try:
            yield
        finally:
            with self._lock:
                self._stop = None

    def interrupt(self) -> None:
        """Stop the call, now or when it begins."""
        with self._lock:
            self.interrupted = True
            if self._stop is not None:
                self._stop()
