"""What is wrong with the servers of a distributed installation: asked by `tslice doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from ..engines.nats.lanes import Lanes
from ..engines.nats.safety import UnsafeQueueError
from ..engines.postgres import examine as postgres
from ..engines.postgres.examine import Problem
from ..engines.postgres.examine_replicas import examine_replicas
from ..engines.redis import examine as redis
from ..model.errors import UnavailableError
from ..settings import Settings
from .distributed import lanes_of


async def examine_servers(settings: Settings) -> dict[str, list[Problem]]:
    """The problems of each server, none when all is well with it."""
    placements = settings.placement_databases
    looks: dict[str, Awaitable[list[Problem]]] = {
        "PostgreSQL": asyncio.to_thread(
            postgres.examine, settings.database_url or "", settings.database_writer_url or "", placements.keys()
        ),
        "queue": _queue_problems(settings),
        "Valkey": redis.examine(settings.redis_url or ""),
    }
    for name, database in placements.items():
        looks[f"placement database {name}"] = asyncio.to_thread(
            postgres.examine_placement, database.url, database.writer_url
        )
    if settings.replica_urls:
        looks["replicas"] = asyncio.to_thread(
            examine_replicas, settings.database_url or "", settings.replica_urls, settings.replica_max_lag_s
        )
    return dict(zip(looks, await asyncio.gather(*looks.values()), strict=True))


async def _queue_problems(settings: Settings) -> list[Problem]:
    """As every role looks before it starts, but at every server; lanes that are not there yet are made."""
    queue = Lanes(lanes_of(settings))
    try:
        await queue.start()
        silent = await queue.silent_servers()
    except UnsafeQueueError as error:
        return [(problem, "mend the servers' settings, see docs/operations/jetstream.md") for problem in error.problems]
    except UnavailableError as error:
        return [(f"cannot be reached: {error}", "look at TSLICE_QUEUE_URL and TSLICE_QUEUE_MONITOR_URL")]
    finally:
        await queue.close()
    return [(each, "the others go on without it; start it, or name one that is there") for each in silent]
