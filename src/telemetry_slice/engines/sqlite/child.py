"""The writer child: the only process that writes telemetry.db.

A process of its own, because an SQLite cursor in a thread beside a busy event loop hands the interpreter lock over at
every row. It answers calls in their order, merges and checkpoints between them, and ends when its parent is gone.
"""

from __future__ import annotations

import select
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import apsw
import msgspec

from ...model.events import TenantNo
from . import books, erasing, retention
from .append import Appender
from .aside import Aside
from .files import open_beside, open_writer
from .frames import (
    LENGTH,
    Request,
    answer_frame,
    decode_append,
    decode_batch,
    decode_plain,
    decode_request,
    plain_settlement,
)
from .letters import Letters
from .merge import IDLE_ROWS, MERGE_ROWS, STEP_ROWS, Merger

CHECKPOINT_PAGES = 2_000
IDLE_S = 1.0
ASIDE_S = 0.01
LULL_S = 0.05
"""So long nobody has called before merging goes on for its own sake: the next call would wait for a step's end."""

_DATA_ERRORS = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    apsw.RangeError,
    OverflowError,
    UnicodeError,
    ValueError,
    TypeError,
)


class Child:
    """Answers calls on one connection; a second one prepares what the first would be held up by."""

    def __init__(self, path: Path, series_limit: int) -> None:
        self._connection = connection = open_writer(path)
        self._aside = Aside(open_beside(path))
        self._checkpoint: Future[object] | None = None
        self._wal_pages = 0
        connection.set_wal_hook(self._count_pages)
        self._appender = Appender(connection, series_limit)
        self._letters = Letters(connection, self._appender)
        self._merger = Merger(connection, self._aside)
        self._rows_before = self._appender.recent_rows
        self._owed_rows = 0.0
        self._operations: dict[str, Callable[[msgspec.Raw], Any]] = {
            "append": self._append,
            "books": lambda raw: books.read(connection, *decode_plain(raw)),
            "rejected": self._rejected,
            "expire": self._expire,
            "erase": self._erase,
            "mend": lambda raw: self._on_letter(raw, self._letters.mend),
            "replay": self._replay,
            "letters": lambda _: self._letters.open_counts(),
            "discard": lambda raw: self._letters.discard(*decode_plain(raw)),
        }

    def _count_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _append(self, raw: msgspec.Raw) -> list[Any]:
        messages, commit = decode_append(raw)
        return [plain_settlement(settlement) for settlement in self._appender.append(messages, commit=commit)]

    def _rejected(self, raw: msgspec.Raw) -> None:
        with self._appender.transaction():
            books.reject(self._connection, decode_plain(raw))

    def _expire(self, raw: msgspec.Raw) -> int:
        with self._appender.transaction():
            gone, recent = retention.expire(self._connection, *decode_plain(raw))
            self._appender.recent_rows -= recent
            return gone

    def _erase(self, raw: msgspec.Raw) -> int:
        tenant = decode_plain(raw)
        with self._appender.transaction():
            gone, recent = erasing.erase_some(self._connection, tenant)
            self._appender.recent_rows -= recent
        self._appender.forget_series(tenant)
        return gone

    @staticmethod
    def _on_letter(raw: msgspec.Raw, change: Callable[..., Any]) -> Any:
        tenant, letter_id, event = decode_plain(raw)
        return change(TenantNo(tenant), letter_id, decode_batch(event))

    def _replay(self, raw: msgspec.Raw) -> Any:
        settlement = self._on_letter(raw, self._letters.replay)
        return settlement and plain_settlement(settlement)

    def answer(self, request: Request) -> bytes:
        """Carry out one call."""
        try:
            return answer_frame(request.id, None, self._operations[request.operation](request.arguments))
        except _DATA_ERRORS as error:
            return answer_frame(request.id, "data", f"{type(error).__name__}: {error}")
        except apsw.Error as error:
            return answer_frame(request.id, "unavailable", f"{type(error).__name__}: {error}")

    def tidy(self, *, idle: bool) -> float:
        """One piece of housekeeping, so that nobody waits for two; after how many seconds the next one is due."""
        rows = self._appender.recent_rows
        if self._merger.active:
            # Merge faster than rows arrive, else the unsorted ones would grow without bound.
            self._owed_rows += 1.5 * (rows - self._rows_before)
        self._rows_before = rows
        self._merger.start_planned()
        if self._checkpoint is not None and self._checkpoint.done():
            self._checkpoint.result()
            self._checkpoint = None
            # What was logged meanwhile is little; with it the whole log is in the file and starts anew.
            _checkpoint(self._connection)
            self._wal_pages = 0
        elif self._checkpoint is None and self._wal_pages >= CHECKPOINT_PAGES:
            self._checkpoint = self._aside.run(_checkpoint)
        elif self._merger.active:
            self._merge(idle=idle)
        elif not self._merger.planning and (rows >= MERGE_ROWS or (idle and rows >= IDLE_ROWS)):
            self._merger.begin()
        if self._merger.active:
            return 0 if idle else LULL_S
        return ASIDE_S if self._merger.planning or self._checkpoint is not None else IDLE_S

    def _merge(self, *, idle: bool) -> None:
        """The steps that are owed, and one more while nobody calls."""
        while self._merger.active and (idle or self._owed_rows >= STEP_ROWS):
            self._appender.recent_rows -= self._merger.step()
            self._owed_rows = max(0.0, self._owed_rows - STEP_ROWS)
            idle = False
        self._rows_before = self._appender.recent_rows

    def close(self) -> None:
        self._aside.close()
        self._connection.close()


def _checkpoint(connection: apsw.Connection) -> None:
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def serve(channel: socket.socket, child: Child) -> None:
    """Answer calls until the other end is closed."""
    due_s = IDLE_S
    while True:
        idle = not select.select([channel], [], [], due_s)[0]
        if not idle:
            head = channel.recv(LENGTH.size, socket.MSG_WAITALL)
            if len(head) < LENGTH.size:
                return
            frame = channel.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL)
            channel.sendall(child.answer(decode_request(frame)))
        due_s = child.tidy(idle=idle)


def main() -> None:
    """Arguments: the socket's file descriptor, telemetry.db, the quota of series per tenant."""
    # Ctrl-C reaches the whole process group; the parent says when to stop, by closing the channel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor, path, series_limit = sys.argv[1:]
    channel = socket.socket(fileno=int(descriptor))
    child = Child(Path(path), int(series_limit))
    try:
        serve(channel, child)
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        child.close()


if __name__ == "__main__":
    main()
