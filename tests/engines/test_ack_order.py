"""What a writer has leased and not stored when it dies is stored by the next one: it acks after the commit."""

import asyncio

import pytest
from tests.engines.nats_lanes import held, lane_of, opened

from telemetry_slice.engines.inprocess import LocalBus
from telemetry_slice.flow.writer import Writer

NOW_US = 1_790_000_000_000_000


class Dying:
    """A store whose process dies before the commit."""

    def __init__(self):
        self.asked = asyncio.Event()

    async def split(self, messages):
        return [messages]

    async def append(self, _messages, *, commit=True):
        assert commit
        self.asked.set()
        await asyncio.Event().wait()


class AckedAtOnce:
    """A queue as a writer would have it that acks before it commits."""

    def __init__(self, queue):
        self.queue = queue

    async def lease(self, max_events):
        leased = await self.queue.lease(max_events)
        await self.queue.ack(leased)
        return leased


@pytest.mark.parametrize(("before_commit", "stored"), [(False, 3), (True, 0)], ids=["after", "before, the control"])
async def test_acked_after_or_before_the_commit(nats_server, store, gate, tenant, before_commit, stored):
    lane = lane_of(nats_server, timeout_s=10)
    async with opened(lane) as queue:
        # One message, so that one lease has it all.
        await queue.put(gate.message((tenant, [(f"{n}", NOW_US, n) for n in range(3)])))
        dying = Dying()
        run = asyncio.create_task(
            Writer(AckedAtOnce(queue) if before_commit else queue, dying, LocalBus(), max_events=100).run()
        )
        async with asyncio.timeout(30):
            await dying.asked.wait()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    async with opened(lane) as queue:
        run = asyncio.create_task(Writer(queue, store, LocalBus(), max_events=100).run())
        async with asyncio.timeout(60):
            while await held(queue):
                await asyncio.sleep(0.05)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert (await store.books(tenant)).stored == stored
