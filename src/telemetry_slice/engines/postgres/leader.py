"""Of several schedulers one works: it holds an advisory lock of the database for as long as its connection lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import psycopg
import structlog

from .connect import CONNECT

log = structlog.get_logger()

ASK_EVERY_S = 5.0
ANSWER_S = 15.0
"""A server that says nothing for so long is given up: whoever it answers may have the lock by now."""
_LOCK = 7_265_130_918
"""The advisory lock of whoever schedules in a database."""


class Leader:
    """Runs duties while it holds the lock; `url` signs in as the writer role."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def lead(self, duties: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Wait for the lock, then run all `duties` until one of them or the connection ends; again and again.

        The lock goes with the connection, so that two never work for longer than it takes to notice: duties must be
        such that doing them twice does no harm.
        """
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True, **CONNECT) as connection:
                    if await _taken(connection):
                        log.info("scheduler_leads")
                        await _until_one_ends([*(duty() for duty in duties), _watch(connection)])
            except (psycopg.Error, TimeoutError) as error:
                log.warning("scheduler_waits", error=str(error) or "no answer in time")
            await asyncio.sleep(ASK_EVERY_S)


async def _taken(connection: psycopg.AsyncConnection[Any]) -> bool:
    async with asyncio.timeout(ANSWER_S):
        asked = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        row = await asked.fetchone()
    return bool(row and row[0])


async def _watch(connection: psycopg.AsyncConnection[Any]) -> None:
    while True:
        await asyncio.sleep(ASK_EVERY_S)
        async with asyncio.timeout(ANSWER_S):
            await connection.execute("SELECT 1")


async def _until_one_ends(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all; when one ends or raises, end the others and raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
