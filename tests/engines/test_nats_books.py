"""Gates, JetStream, writers and a real store together: exactly once in effect, and books that tell the truth."""

import asyncio
import contextlib
import random
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import pytest
from deploy.local.nats import NatsServer
from tests.engines.nats_lanes import ACME, BETA, lane_of, opened, until

from telemetry_slice.engines.inprocess import LocalBus, SystemClock
from telemetry_slice.engines.nats.envelope import Sealed
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.engines.sqlite.store import SqliteStore, WriterProcess
from telemetry_slice.flow import books as stage
from telemetry_slice.flow.books import Bookkeeper
from telemetry_slice.flow.gate.totals import Totals
from telemetry_slice.flow.writer import Writer
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import EventBatch, Kind, event_key, meaning_of
from telemetry_slice.model.times import MINUTE_US

MEASURED = (("n", None, int(Kind.NUMBER), 1.0),)


def batch_of(tenant, names):
    now_us = SystemClock().now_us()
    batch = EventBatch(tenant, now_us)
    for name in names:
        key, text = event_key(name)
        batch.keys.append(key)
        batch.texts.append(text)
        batch.devices.append(1)
        batch.device_ids.append("meter")
        batch.recorded_us.append(1_780_000_000_000_000)
        batch.meanings.append(meaning_of("meter", 1_780_000_000_000_000, MEASURED))
        batch.measurements.append(MEASURED)
    return batch


@asynccontextmanager
async def platform(settings, folder):
    """Two gates and two writers, each with a connection of its own, over one store."""
    database = open_database(folder / "telemetry.db", name="telemetry")
    upgrade(database.writer, "telemetry")
    database.writer.dispose()
    readers = Readers(database.reader)
    process = WriterProcess(folder / "telemetry.db", 100)
    await process.start()
    store = SqliteStore(process, readers)
    async with contextlib.AsyncExitStack() as ending:
        ending.callback(database.reader.dispose)
        ending.callback(readers.close)
        ending.push_async_callback(process.stop)
        gates = [(await ending.enter_async_context(opened(settings)), Totals()) for _ in range(2)]
        queues = [await ending.enter_async_context(opened(settings)) for _ in range(2)]
        writers = [asyncio.create_task(Writer(queue, store, LocalBus(), max_events=200).run()) for queue in queues]
        keepers = [Bookkeeper(totals, queue, store) for queue, totals in gates]
        try:
            yield SimpleNamespace(gates=gates, writers=writers, keepers=keepers)
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)


async def put(gate, tenant, names):
    queue, totals = gate
    await queue.put(totals.message(batch_of(tenant, names), wants_outcome=False))


async def settled_books(keeper, tenant, **span):
    """The books once nothing is in flight."""
    found = []

    async def at_rest():
        found.append(await keeper.books(tenant, **span))
        return found[-1].in_flight == 0

    await until(at_rest, 60)
    return found[-1]


async def test_kills_under_load_leave_balanced_books(tmp_path, seed):
    chance = random.Random(seed)
    began_us = SystemClock().now_us()
    with NatsServer(tmp_path / "nats") as server:
        async with platform(lane_of(server, ack_wait_s=1), tmp_path) as slice_:
            acknowledged = {ACME: set(), BETA: set()}
            sent = []

            async def send(gate, tenant):
                while not done.is_set():
                    # Some ids are sent again, as a device does that heard nothing.
                    names = [str(uuid4()) for _ in range(chance.randint(1, 5))]
                    names += [name for owner, name in sent[-3:] if owner == tenant]
                    sent.extend((tenant, name) for name in names)
                    with contextlib.suppress(UnavailableError):
                        await put(gate, tenant, names)
                        acknowledged[tenant] |= set(names)
                    await asyncio.sleep(chance.random() / 50)

            unbalanced = []

            async def look():
                while not done.is_set():
                    for tenant in (ACME, BETA):
                        with contextlib.suppress(UnavailableError):
                            books = await chance.choice(slice_.keepers).books(tenant)
                            if not books.balanced:
                                unbalanced.append(books)
                    await asyncio.sleep(0.01)

            done = asyncio.Event()
            working = [asyncio.create_task(send(gate, tenant)) for gate in slice_.gates for tenant in (ACME, BETA)]
            working.append(asyncio.create_task(look()))
            for _ in range(3):
                await asyncio.sleep(chance.uniform(0.2, 0.8))
                server.kill()
                await asyncio.to_thread(server.start)
            await asyncio.sleep(0.5)
            done.set()
            await asyncio.gather(*working)

            async def sent_off():
                # What one gate still keeps to itself, the other cannot know.
                return not any(queue._publisher.held() for queue, _ in slice_.gates)

            await until(sent_off)
            for tenant in (ACME, BETA):
                for keeper in slice_.keepers:
                    books = await settled_books(keeper, tenant)
                    assert books.balanced
                    assert books.stored >= len(acknowledged[tenant])
                    assert books.accepted == books.stored + books.duplicate
                    span = {"from_us": began_us - MINUTE_US, "to_us": began_us + 10 * MINUTE_US}
                    ranged = await settled_books(keeper, tenant, **span)
                    assert (ranged.accepted, ranged.stored, ranged.balanced) == (books.accepted, books.stored, True)
            assert sum(map(len, acknowledged.values())) > 50
            assert unbalanced == []


async def test_a_message_that_is_delivered_twice_counts_once(nats_server, tmp_path):
    settings = lane_of(nats_server)
    async with platform(settings, tmp_path) as slice_:
        queue, totals = slice_.gates[0]
        message = totals.message(batch_of(ACME, ["a", "b"]), wants_outcome=False)
        pack = Sealed.pack([Sealed(message)])
        for _ in range(3):
            await queue._connection.session.request(settings.subject, pack, 2)
        books = await settled_books(slice_.keepers[0], ACME)
        assert (books.accepted, books.stored, books.duplicate, books.balanced) == (2, 2, 0, True)


@pytest.mark.parametrize("keeper", [0, 1])
async def test_a_message_that_the_stream_loses_is_a_gap(nats_server, tmp_path, monkeypatch, keeper):
    """Whoever reads the books: its own gate knows of it, the others from the next message."""
    monkeypatch.setattr(stage, "PAUSE_S", 0.01)
    settings = lane_of(nats_server)
    async with platform(settings, tmp_path) as slice_:
        await put(slice_.gates[0], ACME, ["a", "b"])
        assert (await settled_books(slice_.keepers[keeper], ACME)).balanced
        for writer in slice_.writers:
            writer.cancel()
        await asyncio.gather(*slice_.writers, return_exceptions=True)
        await put(slice_.gates[0], ACME, ["c", "d", "e"])
        books = await slice_.keepers[keeper].books(ACME)
        assert (books.accepted, books.in_flight, books.balanced) == (5, 3, True)
        streams = slice_.gates[0][0]._connection.session.client.jetstream()
        last = (await streams.stream_info(settings.stream)).state.last_seq
        await streams.delete_msg(settings.stream, last)
        await put(slice_.gates[0], ACME, ["f"])
        books = await slice_.keepers[keeper].books(ACME)
        assert (books.accepted, books.in_flight, books.balanced) == (6, 1, False)
