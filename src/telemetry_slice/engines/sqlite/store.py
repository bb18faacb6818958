"""The embedded event store: calls to the writer child, restarted when it dies."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import structlog

from ...model.books import BooksStep, StoreBooks
from ...model.errors import DataError, UnavailableError
from ...model.events import EventBatch, Message, Settlement, TenantNo
from ...model.series import DeadLetter
from ..sql.letters import LetterReads
from ..sql.readers import TenantReaders
from . import history
from .frames import (
    LENGTH,
    decode_answer,
    decode_plain,
    encode_append,
    encode_batch,
    encode_plain,
    request_frame,
    settlement_from,
)

log = structlog.get_logger()

RESTART_S = (0.02, 0.2, 1.0, 5.0)
"""Pauses before a restart: the first after a child that had answered something."""


class WriterProcess:
    """One child at a time; a call made while it is down, or when it dies, raises UnavailableError."""

    def __init__(self, path: Path, series_limit: int) -> None:
        self._path = path
        self._series_limit = series_limit
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._answered = False

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())
        await self._started.wait()

    async def stop(self) -> None:
        """Close the channel and wait for the child to finish what it was told."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._writer:
            self._writer.close()
        if self._process:
            await self._process.wait()

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._answered = False
            try:
                await self._run_once()
            except OSError as error:
                log.error("writer_start_failed", error=str(error))
            self._writer = None
            self._fail_waiting()
            failures = 0 if self._answered else failures + 1
            log.error("writer_ended", returncode=self._process and self._process.returncode)
            await asyncio.sleep(RESTART_S[min(failures, len(RESTART_S) - 1)])

    async def _run_once(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "telemetry_slice.engines.sqlite.child",
                str(theirs.fileno()),
                str(self._path),
                str(self._series_limit),
                pass_fds=(theirs.fileno(),),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, self._writer = await asyncio.open_connection(sock=ours)
        # With no room to buffer uvloop sends at once, not when all that is ready has run: the child works meanwhile.
        self._writer.transport.set_write_buffer_limits(0)
        self._started.set()
        try:
            while True:
                head = await reader.readexactly(LENGTH.size)
                self._answered = True
                answer = decode_answer(await reader.readexactly(LENGTH.unpack(head)[0]))
                waiting = self._waiting.pop(answer.id, None)
                if waiting is None or waiting.done():
                    continue
                result = decode_plain(answer.result)
                if answer.failure is None:
                    waiting.set_result(result)
                elif answer.failure == "data":
                    waiting.set_exception(DataError(result))
                else:
                    waiting.set_exception(UnavailableError(result))
        except (asyncio.IncompleteReadError, ConnectionError):
            self._writer.close()
            await self._process.wait()

    def _fail_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(UnavailableError("the writer ended before it answered"))

    def call(self, operation: str, arguments: bytes) -> asyncio.Future[Any]:
        """Send one call at once; calls are carried out in the order of this method's calls."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._writer is None or self._writer.is_closing():
            future.set_exception(UnavailableError("the writer is being restarted"))
            return future
        number = next(self._numbers)
        self._waiting[number] = future
        self._writer.write(request_frame(number, operation, arguments))
        return future


class SqliteStore(LetterReads):
    """`EventStore` and `DeadLetters` on telemetry.db."""

    def __init__(self, writer: WriterProcess, readers: TenantReaders) -> None:
        super().__init__(readers)
        self._writer = writer

    async def split(self, messages: Sequence[Message]) -> Sequence[Sequence[Message]]:
        return [messages]

    async def append(self, messages: Sequence[Message], *, commit: bool = True) -> Sequence[Settlement]:
        plain = await self._writer.call("append", encode_append(messages, commit=commit))
        return [settlement_from(settlement) for settlement in plain]

    async def books(self, tenant: TenantNo, from_us: int | None = None, to_us: int | None = None) -> StoreBooks:
        # Sent before the first await, so that the snapshot falls behind every append sent before this call.
        plain = await self._writer.call("books", encode_plain((tenant, from_us, to_us)))
        announced = {bytes(incarnation): total for incarnation, total in plain["announced"]}
        return StoreBooks(
            sum(announced.values()),
            announced,
            plain["stored"],
            plain["duplicate"],
            plain["dead"],
            plain["rejected"],
            {bytes(incarnation): claimed for incarnation, claimed, _ in plain["claims"]},
            {bytes(incarnation): frozenset(ahead) for incarnation, _, ahead in plain["claims"]},
        )

    async def book_history(self, tenant: TenantNo, from_us: int, to_us: int, step_us: int) -> Sequence[BooksStep]:
        return await history.read(self._readers, tenant, from_us, to_us, step_us)

    async def count_rejected(self, counts: Sequence[tuple[TenantNo, int, str, int]]) -> None:
        await self._writer.call("rejected", encode_plain(counts))

    async def expire(self, before_us: int, tenant: TenantNo | None = None) -> int:
        return int(await self._writer.call("expire", encode_plain((before_us, tenant))))

    async def erase_some(self, tenant: TenantNo) -> int:
        """Delete up to some thousands of rows of a tenant; how many, 0 when nothing is left."""
        return int(await self._writer.call("erase", encode_plain(tenant)))

    async def open_counts(self) -> dict[TenantNo, int]:
        counts = await self._writer.call("letters", encode_plain(None))
        return {TenantNo(tenant): count for tenant, count in counts}

    async def mend(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> DeadLetter | None:
        arguments = encode_plain((tenant, letter_id, encode_batch(event)))
        changed = await self._writer.call("mend", arguments)
        return await self.get(tenant, letter_id) if changed else None

    async def replay(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> Settlement | None:
        plain = await self._writer.call("replay", encode_plain((tenant, letter_id, encode_batch(event))))
        return plain and settlement_from(plain)

    async def discard(self, tenant: TenantNo, letter_id: int) -> bool:
        return bool(await self._writer.call("discard", encode_plain((tenant, letter_id))))
