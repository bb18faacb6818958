"""A writer's loops whose store is away: what they hold is neither tried without a pause nor forgotten."""

import asyncio
import random

from tests.engines.nats_lanes import drain, lane_of, lease, message, opened

from telemetry_slice.engines.nats.envelope import Sealed


async def test_who_leases_together_pauses_together(nats_server):
    """Two loops of a writer whose store is away try once a pause each, not twice as often with each pause."""
    settings = lane_of(nats_server)
    async with opened(settings) as queue:
        await asyncio.gather(*(queue.put(message(n)) for n in range(1, 9)))
        tries = 0
        pauses = random.Random(1)

        async def fail():
            nonlocal tries
            while True:
                leased = await queue.lease(4)
                tries += 1
                # A store that is away takes a moment to say so.
                await asyncio.sleep(0.002)
                await queue.retry(leased, pauses.uniform(0.1, 0.2))

        loops = [asyncio.create_task(fail()) for _ in range(2)]
        await asyncio.wait(loops, timeout=3)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        assert 2 <= tries <= 2 * 3 / 0.1 + 2


async def test_packs_of_several_leases_are_given_back_together(nats_server):
    settings = lane_of(nats_server, hold_s=0.0)
    async with opened(settings) as queue:
        for first in range(1, 41, 2):
            pack = Sealed.pack([Sealed(message(n)) for n in (first, first + 1)])
            await queue._connection.session.request(settings.subject, pack, 10)
        leased = []
        while len(leased) < 40:
            leased += await lease(queue)
        # Each pack is held by both.
        await asyncio.gather(queue.retry(leased[::2], 0.1), queue.retry(leased[1::2], 0.1))
        assert sorted(set(await drain(queue, range(1, 41)))) == list(range(1, 41))
