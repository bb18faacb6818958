"""JetStream under what befalls it: kills, silence, damage, a full stream; the contract suite has the rest."""

import asyncio
import contextlib
import random
from itertools import count

import pytest
from deploy.local.nats import NatsServer
from tests.engines.nats_lanes import ACME, BETA, drain, held, lane_of, lease, message, opened, until

from telemetry_slice.engines.nats import consumer as consuming
from telemetry_slice.engines.nats.envelope import Sealed
from telemetry_slice.model.errors import QueueFullError, UnavailableError
from telemetry_slice.observe import QUEUE_PACKS, QUEUE_POISONED, QUEUE_STALLS


@pytest.fixture
def own_server(tmp_path):
    """A server that a test may kill."""
    with NatsServer(tmp_path / "nats") as server:
        yield server


def packs_published():
    return QUEUE_PACKS._value.get()


async def test_what_arrives_together_shares_a_pack(nats_server):
    async with opened(lane_of(nats_server)) as queue:
        before = packs_published()
        await asyncio.gather(*(queue.put(message(n, 1, ACME if n % 2 else BETA)) for n in range(1, 501)))
        assert packs_published() - before <= 5
        assert await held(queue) == list(range(1, 501))
        assert await drain(queue, range(1, 501)) is not None


async def test_under_load_packs_keep_their_distance(nats_server):
    """Senders that come one by one, more than one within the time of a pack."""
    settings = lane_of(nats_server, gather_s=0.02)
    async with opened(settings) as queue:
        before = packs_published()
        loop = asyncio.get_running_loop()
        began = loop.time()
        senders = []
        for number in range(1, 201):
            senders.append(asyncio.create_task(queue.put(message(number))))
            await asyncio.sleep(0)
        await asyncio.gather(*senders)
        took = loop.time() - began
        assert packs_published() - before <= took / settings.gather_s + 2


async def test_a_pack_is_bounded_in_bytes_and_one_message_is_never_cut(nats_server):
    async with opened(lane_of(nats_server, pack_bytes=1_000)) as queue:
        before = packs_published()
        messages = [message(n, 100 if n == 3 else 5) for n in range(1, 9)]
        await asyncio.gather(*map(queue.put, messages))
        assert 3 <= packs_published() - before <= 8
        assert sorted(await lease(queue), key=lambda each: each.sequence) == messages


async def test_a_message_larger_than_the_lane_was_set_up_for_takes_nothing(nats_server):
    async with opened(lane_of(nats_server, max_message_bytes=1_000)) as queue:
        with pytest.raises(QueueFullError):
            await queue.put(message(1, 100))
        assert await held(queue) == []


async def test_a_full_stream_refuses_and_recovers(nats_server):
    settings = lane_of(nats_server, max_bytes=64 << 10)
    async with opened(settings) as queue:
        taken = []
        for number in range(1, 1_000):
            try:
                await queue.put(message(number, 50))
            except UnavailableError:
                # The one that found the stream full: it stays here and goes in as soon as there is room.
                pass
            except QueueFullError:
                break
            taken.append(number)
        assert 5 < len(taken) < 100
        assert await held(queue) == taken
        assert sorted(await drain(queue, taken)) == taken

        async def has_room():
            with contextlib.suppress(QueueFullError):
                await queue.put(message(taken[-1] + 1))
                return True
            return False

        await until(has_room)


async def kill_now_and_then(server, chance, times=3):
    for _ in range(times):
        await asyncio.sleep(chance.uniform(0.05, 0.3))
        server.kill()
        await asyncio.sleep(chance.uniform(0, 0.1))
        await asyncio.to_thread(server.start)


async def test_what_was_acknowledged_survives_kill_9(own_server, seed):
    """Kill the server again and again under puts and leases: nothing acknowledged is missing, nothing is left over."""
    chance = random.Random(seed)
    acknowledged, seen = set(), []
    async with opened(lane_of(own_server, ack_wait_s=2)) as queue:

        async def send():
            for number in range(1, 301):
                with contextlib.suppress(UnavailableError):
                    await queue.put(message(number))
                    acknowledged.add(number)

        async def write():
            while True:
                leased = await queue.lease(10)
                seen.extend(each.sequence for each in leased)
                await asyncio.sleep(chance.random() / 100)
                await queue.ack(leased)

        sender, writer = asyncio.create_task(send()), asyncio.create_task(write())
        await kill_now_and_then(own_server, chance)
        await asyncio.wait_for(sender, 60)

        async def settled():
            return acknowledged <= set(seen) and await held(queue) == []

        await until(settled)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
    assert len(acknowledged) > 100


async def test_numbers_become_durable_in_their_order_and_without_gaps(own_server, seed):
    """Whatever happens to the server: a number in the stream stands behind all those before it."""
    chance = random.Random(seed)
    settings = lane_of(own_server)
    numbers = count(1)
    async with opened(settings) as queue:

        async def send():
            while True:
                with contextlib.suppress(UnavailableError):
                    await queue.put(message(next(numbers)))

        senders = [asyncio.create_task(send()) for _ in range(5)]
        await kill_now_and_then(own_server, chance)
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        # The gate dies with whatever it has not made durable.
    async with opened(settings) as queue:
        kept = await held(queue)
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) > 20
        seen = await drain(queue, kept)
        assert list(dict.fromkeys(seen)) == kept


async def test_a_server_killed_between_put_and_lease_loses_nothing(own_server):
    settings = lane_of(own_server)
    async with opened(settings) as queue:
        await asyncio.gather(*(queue.put(message(n, 3)) for n in range(1, 51)))
    own_server.kill()
    own_server.start()
    async with opened(settings) as queue:
        assert await held(queue) == list(range(1, 51))
        assert await drain(queue, range(1, 51)) == list(range(1, 51))


async def test_while_the_server_is_away_put_fails_in_time_and_the_message_follows(own_server):
    settings = lane_of(own_server, timeout_s=1)
    async with opened(settings) as queue:
        await queue.put(message(1))
        own_server.kill()
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(queue.put(message(2)), 10)
        assert loop.time() - began < 8
        with pytest.raises(UnavailableError):
            await queue.held()
        leasing = asyncio.create_task(queue.lease(10))
        await asyncio.to_thread(own_server.start)
        seen = [each.sequence for each in await asyncio.wait_for(leasing, 20)]
        if 2 not in seen:
            seen += await drain(queue, [2])
        assert seen == [1, 2]


async def test_memory_is_bounded_while_the_server_is_away(own_server):
    settings = lane_of(own_server, timeout_s=1, max_waiting_bytes=20_000)
    async with opened(settings) as queue:
        own_server.kill()
        answers = await asyncio.gather(*(queue.put(message(n, 20)) for n in range(1, 101)), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, QueueFullError)]
        assert 50 < len(refused) < 100
        assert all(isinstance(answer, (QueueFullError, UnavailableError)) for answer in answers)


async def test_a_silent_server_does_not_hold_a_sender(own_server):
    """It keeps its connections and says nothing, as a machine does that was cut off."""
    async with opened(lane_of(own_server, timeout_s=0.5)) as queue:
        own_server.pause()
        try:
            with pytest.raises(UnavailableError):
                await asyncio.wait_for(queue.put(message(1)), 20)
        finally:
            own_server.resume()
        assert set(await drain(queue, [1])) == {1}


async def test_a_queue_that_is_closed_while_it_connects_anew_ends(own_server):
    """The client swallows a cancellation now and then while it connects."""
    for number in range(1, 7):
        async with asyncio.timeout(60):
            async with opened(lane_of(own_server, timeout_s=0.5)) as queue:
                own_server.pause()
                try:
                    with pytest.raises(UnavailableError):
                        await queue.put(message(number))
                finally:
                    own_server.resume()
                await drain(queue, [number])


async def test_what_a_dead_writer_had_leased_goes_to_another(nats_server):
    settings = lane_of(nats_server, ack_wait_s=0.5)
    async with opened(settings) as gate:
        await asyncio.gather(*(gate.put(message(n)) for n in range(1, 11)))
        async with opened(settings) as dying:
            assert len(await lease(dying)) == 10
            # As if killed: nothing is said any more, the connection is gone.
            for task in dying._consumer._tasks:
                task.cancel()
            await dying._connection.close()
        async with opened(settings) as writer:
            assert sorted(await drain(writer, range(1, 11))) == list(range(1, 11))
        assert await held(gate) == []


async def test_a_writer_that_closes_gives_back_at_once(nats_server):
    settings = lane_of(nats_server, ack_wait_s=30)
    async with opened(settings) as gate:
        await gate.put(message(1))
        async with opened(settings) as leaving:
            assert len(await lease(leaving)) == 1
        async with opened(settings) as writer:
            assert await drain(writer, [1], seconds=10) == [1]


async def test_a_long_transaction_keeps_its_lease(nats_server):
    settings = lane_of(nats_server, ack_wait_s=1.2)
    async with opened(settings) as slow, opened(settings) as other:
        await slow.put(message(1))
        leased = await lease(slow)
        with pytest.raises(TimeoutError):
            await lease(other, seconds=3)
        await slow.ack(leased)

        async def forgotten():
            return await held(slow) == []

        await until(forgotten)


async def test_a_pack_is_forgotten_when_all_its_messages_are_acked(nats_server):
    async with opened(lane_of(nats_server)) as queue:
        await asyncio.gather(*(queue.put(message(n)) for n in (1, 2, 3)))
        leased = await lease(queue)
        await queue.ack(leased[:2])
        await asyncio.sleep(0)
        assert await held(queue) == [1, 2, 3]
        await queue.ack(leased[2:])

        async def forgotten():
            return await held(queue) == []

        await until(forgotten)


async def test_what_one_writer_cannot_settle_goes_to_another(nats_server, monkeypatch):
    monkeypatch.setattr(consuming, "PULL_S", 0.5)
    monkeypatch.setattr(consuming, "HEARTBEAT_S", 0.2)
    settings = lane_of(nats_server, hold_s=0.0)
    async with opened(settings) as broken, opened(settings) as sound:
        await asyncio.gather(*(broken.put(message(n)) for n in range(1, 6)))
        leased = await lease(broken)
        await broken.retry(leased, 3)
        assert await drain(sound, range(1, 6)) == [1, 2, 3, 4, 5]
        with pytest.raises(TimeoutError):
            await lease(broken, seconds=4)


@pytest.mark.parametrize(("numbers", "times"), [((1, 2), 2), ((1, 1, 2), 1)], ids=["pack", "message"])
async def test_what_comes_twice_is_leased_once(nats_server, numbers, times):
    """What a publisher does whose acknowledgement was lost: the pack again, or a message again in another pack."""
    settings = lane_of(nats_server)
    async with opened(settings) as queue:
        pack = Sealed.pack([Sealed(message(n)) for n in numbers])
        for _ in range(times):
            await queue._connection.session.request(settings.subject, pack, 2)
        assert await held(queue) == [1, 2]
        leased = await lease(queue)
        assert [each.sequence for each in leased] == [1, 2]
        await queue.ack(leased)

        async def forgotten():
            return await held(queue) == []

        await until(forgotten)


async def test_a_damaged_pack_is_buried_and_its_neighbours_go_on(nats_server):
    settings = lane_of(nats_server)
    async with opened(settings) as queue:
        before = QUEUE_POISONED._value.get()
        session = queue._connection.session
        whole = Sealed.pack([Sealed(message(2))])
        damaged = whole[:-3] + bytes((whole[-3] ^ 1,)) + whole[-2:]
        await queue.put(message(1))
        for nonsense in (damaged, b"", b"nonsense"):
            await session.request(settings.subject, nonsense, 2)
        await queue.put(message(3))
        assert await drain(queue, [1, 3]) == [1, 3]

        async def buried():
            return QUEUE_POISONED._value.get() - before == 3 and await held(queue) == []

        await until(buried)
        kept = await session.client.jetstream().get_msg(settings.poison_stream, seq=1)
        assert kept.data == damaged
        info = await session.client.jetstream().stream_info(settings.stream)
        assert info.state.messages == 0


async def test_a_pack_of_a_newer_release_waits_for_a_writer_that_can_read_it(nats_server, monkeypatch):
    from tests.engines.test_nats_envelope import sealed_anew

    monkeypatch.setattr(consuming, "LATER_S", 0.2)
    settings = lane_of(nats_server)
    async with opened(settings) as queue:
        await queue._connection.session.request(settings.subject, sealed_anew(2, b"?"), 2)
        await queue.put(message(1))
        assert await drain(queue, [1]) == [1]
        info = await queue._connection.session.client.jetstream().stream_info(settings.stream)
        assert info.state.messages >= 1


async def test_a_subscription_that_went_deaf_is_made_anew(nats_server, monkeypatch):
    monkeypatch.setattr(consuming, "SILENT_S", 1.5)
    settings = lane_of(nats_server, ack_wait_s=0.5)
    async with opened(settings) as queue:
        await queue.put(message(1))
        await queue.ack(await lease(queue))
        before = QUEUE_STALLS._value.get()
        # Behind the engine's back: the server believes that it delivers.
        for subscription in list(queue._connection.session.client._subs.values()):
            if subscription.subject.endswith(".*") and "tslice" not in subscription.subject:
                subscription._cb = None
                subscription._wait_for_msgs_task.cancel()
        await queue._connection.session.client._init_request_sub()
        await queue.put(message(2))
        assert await drain(queue, [2]) == [2]
        assert QUEUE_STALLS._value.get() > before


async def test_a_consumer_that_somebody_deleted_is_made_anew(nats_server):
    settings = lane_of(nats_server)
    async with opened(settings) as queue, opened(lane_of(nats_server)) as somebody:
        await queue.put(message(1))
        await queue.ack(await lease(queue))

        async def forgotten():
            return await held(queue) == []

        # An ack is sent and not waited for: the consumer must have it before it goes.
        await until(forgotten)
        await somebody._connection.session.client.jetstream().delete_consumer(settings.stream, "writer")
        await queue.put(message(2))
        assert await drain(queue, [2]) == [2]


async def test_two_writers_share_a_lane(nats_server):
    settings = lane_of(nats_server)
    async with opened(settings) as gate, opened(settings) as one, opened(settings) as two:
        seen = [[], []]

        async def write(writer, mine):
            while True:
                leased = await writer.lease(5)
                mine += [each.sequence for each in leased]
                await asyncio.sleep(0.001)
                await writer.ack(leased)

        writers = [asyncio.create_task(write(*pair)) for pair in zip((one, two), seen, strict=True)]
        for start in range(1, 401, 4):
            await asyncio.gather(*(gate.put(message(n)) for n in range(start, start + 4)))

        async def settled():
            return await held(gate) == []

        await until(settled)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        assert sorted(seen[0] + seen[1]) == list(range(1, 401))
        assert seen[0]
        assert seen[1]


async def test_what_a_replica_lacks_is_asked_of_the_leader(nats_server):
    async with opened(lane_of(nats_server)) as queue:
        await queue.put(message(1))
        for number in (1, 2):
            await queue._holdings._read_from_leader(queue._connection.session, number)
        assert [held.sequence for held in queue._holdings._known[1]] == [1]
        assert 2 not in queue._holdings._known


async def test_what_is_held_is_read_once_and_forgotten_when_gone(nats_server):
    settings = lane_of(nats_server)
    async with opened(settings) as gate, opened(settings) as writer:
        for start in range(1, 601, 2):
            await asyncio.gather(*(gate.put(message(n)) for n in (start, start + 1)))
        assert await held(gate) == list(range(1, 601))
        known = dict(gate._holdings._known)
        assert len(known) >= 300
        leased = await lease(writer, 100)
        await writer.ack(leased)
        gone = {each.sequence for each in leased}

        async def forgotten():
            return set(await held(gate)) == set(range(1, 601)) - gone

        await until(forgotten)
        still = gate._holdings._known
        assert still.keys() < known.keys()
        assert all(still[number] is known[number] for number in still)
