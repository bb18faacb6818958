"""Lanes, messages and waiting for the tests of the JetStream engine."""

import asyncio
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.engines.nats.settings import LaneSettings
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo

GATE = b"gate" * 4
ACME, BETA = map(TenantNo, (1, 2))


def message(sequence, count=1, tenant=ACME, gate=GATE):
    keys = [UUID(int=(sequence << 32) + at).bytes for at in range(count)]
    return Message(
        gate,
        sequence,
        (
            EventBatch(
                tenant,
                7,
                keys,
                [None] * count,
                [1] * count,
                ["meter"] * count,
                [5] * count,
                [-1] * count,
                [(("n", None, int(Kind.NUMBER), 1.5),)] * count,
                total=sequence * count,
                minute_total=sequence * count,
            ),
        ),
    )


def lane_of(server, **changes):
    return LaneSettings(
        **(
            {
                "urls": (server.url,),
                "lane": uuid4().hex,
                "monitor_url": server.monitor_url,
                "max_bytes": 16 << 20,
                "timeout_s": 2,
            }
            | changes
        )
    )


@asynccontextmanager
async def opened(settings):
    """A queue that runs; like a role, it tries again while the servers do not answer within the lane's deadline."""
    queue = JetStreamQueue(settings)

    async def started():
        await queue.start()
        return True

    await until(started)
    try:
        yield queue
    finally:
        await queue.close(drain_s=0)


async def until(true, seconds=30):
    """Poll the coroutine function `true`; while the queue cannot be reached it is not true."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await true():
                    return
            except UnavailableError:
                pass
            await asyncio.sleep(0.005)


async def held(queue):
    return sorted(each.sequence for each in await queue.held())


async def lease(queue, max_events=10_000, seconds=20):
    return list(await asyncio.wait_for(queue.lease(max_events), seconds))


async def drain(queue, wanted, seconds=30):
    """Lease and ack until every number of `wanted` was seen; all that was seen, in order."""
    seen = []
    async with asyncio.timeout(seconds):
        while not set(wanted) <= set(seen):
            leased = await queue.lease(1_000)
            seen += [each.sequence for each in leased]
            await queue.ack(leased)
    return seen
