"""Answers that never arrive: through a proxy that swallows them, and a consumer that is held back."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from tests.engines.nats_lanes import drain, held, lane_of, lease, message, opened, until

from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.observe import QUEUE_STALLS


class Proxy:
    """Passes bytes between clients and a server; `deaf` swallows what the server says, `dark` what anybody says."""

    def __init__(self, port):
        self.target = port
        self.deaf = self.dark = False
        self.url = ""
        self._tasks = set()

    async def _serve(self, reader, writer):
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        both = [self._pass(reader, there_writer, up=True), self._pass(there_reader, writer, up=False)]
        self._tasks |= (tasks := {asyncio.create_task(way) for way in both})
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for side in (writer, there_writer):
            side.close()

    async def _pass(self, reader, writer, *, up):
        with contextlib.suppress(OSError):
            while some := await reader.read(65536):
                if self.dark or (self.deaf and not up):
                    continue
                writer.write(some)
                await writer.drain()

    @asynccontextmanager
    async def running(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def behind_a_proxy(server, **changes):
    async with Proxy(server.port).running() as proxy:
        settings = lane_of(server, urls=(proxy.url,), timeout_s=1, **changes)
        async with opened(settings) as queue:
            yield proxy, queue, settings
        await asyncio.sleep(0)


async def stored(queue, settings):
    return (await queue._connection.session.client.jetstream().stream_info(settings.stream)).state.messages


async def test_an_acknowledgement_that_is_lost_means_unknown_and_the_message_is_settled_once(nats_server):
    async with behind_a_proxy(nats_server) as (proxy, queue, settings):
        await queue.put(message(1))
        proxy.deaf = True
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(queue.put(message(2)), 20)
        proxy.deaf = False

        async def kept():
            # Later numbers wait until the earlier one is known to be kept.
            await queue.put(message(3))
            return True

        await until(kept)
        # The server has it twice, under one number: the books and the writer see one message.
        assert await stored(queue, settings) >= 4
        assert await held(queue) == [1, 2, 3]
        assert await drain(queue, [1, 2, 3]) == [1, 2, 3]

        async def forgotten():
            return await stored(queue, settings) == 0

        await until(forgotten)


async def test_a_network_that_swallows_everything_hangs_nobody(nats_server):
    async with behind_a_proxy(nats_server, ack_wait_s=1) as (proxy, queue, _):
        await queue.put(message(1))
        leased = await lease(queue)
        proxy.dark = True
        await asyncio.wait_for(queue.ack(leased), 20)
        for asked in (queue.put(message(2)), queue.held()):
            with pytest.raises(UnavailableError):
                await asyncio.wait_for(asked, 20)
        proxy.dark = False
        # The ack was swallowed, so the first message comes once more; the claims of a store would tell.
        assert set(await drain(queue, [1, 2])) == {1, 2}


async def test_a_consumer_that_holds_messages_back_is_noticed(nats_server):
    settings = lane_of(nats_server, watch_s=0.3)
    async with opened(settings) as queue:
        await queue.put(message(1))
        await queue.ack(await lease(queue))
        streams = queue._connection.session.client.jetstream()
        later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
        await streams.pause_consumer(settings.stream, "writer", later)
        before = QUEUE_STALLS._value.get()
        await queue.put(message(2))

        async def noticed():
            return QUEUE_STALLS._value.get() > before

        await until(noticed)
        await streams.resume_consumer(settings.stream, "writer")
        assert await drain(queue, [2]) == [2]


async def test_closing_makes_durable_what_waits(nats_server):
    settings = lane_of(nats_server)
    queue = JetStreamQueue(settings)
    await queue.start()
    senders = [asyncio.create_task(queue.put(message(n))) for n in range(1, 21)]
    await asyncio.sleep(0)
    await queue.close()
    await asyncio.gather(*senders)
    async with opened(settings) as after:
        assert await held(after) == list(range(1, 21))
