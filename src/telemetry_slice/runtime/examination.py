"""What is wrong with the servers of a distributed installation: asked by `tslice doctor`."""

from __future__ import annotations

import asyncio

from ..engines.nats.safety import UnsafeQueueError
from ..engines.postgres import examine as postgres
from ..engines.postgres.examine_replicas import examine_replicas
from ..engines.redis import examine as redis
from ..model.errors import UnavailableError
from ..settings import Settings
from .distributed import queue_of

Problem = tuple[str, str]
"""What is wrong, and what to do."""


async def examine_servers(settings: Settings) -> dict[str, list[Problem]]:
    """The problems of each server, none when all is well with it."""
    database = asyncio.to_thread(postgres.examine, settings.database_url or "", settings.database_writer_url or "")
    names = ("PostgreSQL", "queue", "Valkey")
    found = await asyncio.gather(database, _queue_problems(settings), redis.examine(settings.redis_url or ""))
    problems = dict(zip(names, found, strict=True))
    if settings.replica_urls:
        problems["replicas"] = await asyncio.to_thread(
            examine_replicas, settings.database_url or "", settings.replica_urls, settings.replica_max_lag_s
        )
    return problems


async def _queue_problems(settings: Settings) -> list[Problem]:
    """As every role looks before it starts; a lane that is not there yet is made."""
    queue = queue_of(settings)
    try:
        await queue.start()
    except UnsafeQueueError as error:
        return [(problem, "mend the servers' settings, see docs/operations/jetstream.md") for problem in error.problems]
    except UnavailableError as error:
        return [(f"cannot be reached: {error}", "look at TSLICE_QUEUE_URL and TSLICE_QUEUE_MONITOR_URL")]
    finally:
        await queue.close(0)
    return []
