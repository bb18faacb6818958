"""News between processes on a real server: every way to lose some is noticed, and nothing waits for it."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deploy.local.valkey import Valkey
from structlog.testing import capture_logs

from telemetry_slice.engines.redis import bus as bus_module
from telemetry_slice.engines.redis import connection as connection_module
from telemetry_slice.engines.redis.bus import RedisBus
from telemetry_slice.engines.redis.connection import Server
from telemetry_slice.engines.redis.news import CHANGES, COUNTS, NEWS, channel_of, encode_news
from telemetry_slice.flow.live import Hub
from telemetry_slice.model.events import EventBatch, Kind, Message, Settlement, TenantNo
from telemetry_slice.observe import NEWS_DROPPED, REDIS_AWAY

ACME, BETA = TenantNo(1), TenantNo(2)
DEADLINE_S = 20


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(bus_module, "MARK_S", 0.1)
    monkeypatch.setattr(connection_module, "RETRY_S", 0.2)


@pytest.fixture
def server():
    with Valkey() as started:
        yield started


@pytest.fixture
async def writer(server):
    bus = RedisBus(server.url)
    await bus.start()
    yield bus
    await bus.stop()


@pytest.fixture
async def api(server, writer):
    bus = RedisBus(server.url)
    await bus.start()
    yield bus
    await bus.stop()


class Ear:
    """What one listener was told: numbers of batches, True and False of hearing, in order."""

    def __init__(self, bus, tenant=ACME):
        self.told = []
        self.end = bus.listen(tenant, lambda batch, *_: self.told.append(batch.received_us), self.told.append)


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def listening(bus, tenant=ACME):
    ear = Ear(bus, tenant)
    await until(lambda: ear.told)
    assert ear.told == [True]
    ear.told.clear()
    return ear


def publish(bus, number, tenant=ACME, *, events=1, incarnation=b"i" * 16, wants_outcome=False, redelivered=False):
    batch = EventBatch(tenant, number)
    for _ in range(events):
        batch.keys.append(bytes(16))
        batch.texts.append(None)
        batch.devices.append(1)
        batch.device_ids.append("d")
        batch.recorded_us.append(1)
        batch.meanings.append(1)
        batch.measurements.append((("t", "C", Kind.NUMBER, float(number)),))
    settlement = Settlement((), redelivered=True) if redelivered else Settlement((bytes(events),), {}, 9)
    bus.publish(Message(incarnation, number, (batch,), wants_outcome), settlement)


async def ask(server, *command):
    link = await Server(server.url).connect()
    try:
        return (await link.ask(command))[0]
    finally:
        await link.close()


async def lose_one(server):
    """A piece of news that was counted and reached nobody."""
    await ask(server, "HINCRBY", COUNTS[1], channel_of(ACME), 1)


async def marks(server, count):
    """Until so many more marks were told."""

    async def told():
        stats = await ask(server, "INFO", "commandstats")
        lines = [line for line in stats.split() if line.startswith(b"cmdstat_hget:")]
        return int(lines[0].partition(b"calls=")[2].partition(b",")[0]) if lines else 0

    before = await told()
    async with asyncio.timeout(DEADLINE_S):
        while await told() < before + 2 * count:
            await asyncio.sleep(0.05)


async def test_news_arrives_in_order_from_another_connection(writer, api):
    ear = await listening(api)
    for number in range(500):
        publish(writer, number)

    def lost():
        # On a machine that stood still the connection is lost and made anew: then a gap is said.
        return any(isinstance(told, bool) for told in ear.told)

    await until(lambda: len(ear.told) >= 500 or lost())
    numbers = [told for told in ear.told if not isinstance(told, bool)]
    assert numbers == sorted(set(numbers))
    assert numbers == list(range(500)) or lost()


async def test_without_a_loss_nothing_is_said_about_one(server, writer, api):
    """The negative control of the tests of losses below."""
    ear = await listening(api)
    publish(writer, 1)
    await marks(server, 3)
    assert ear.told == [1]


async def test_a_loss_in_the_middle_is_noticed_with_the_next_news(server, writer, api):
    ear = await listening(api)
    publish(writer, 1)
    await until(lambda: ear.told == [1])
    await lose_one(server)
    publish(writer, 2)
    await until(lambda: len(ear.told) >= 3)
    assert sorted(ear.told[1:], key=repr) == [2, True]


async def test_who_does_not_compare_the_numbers_would_miss_it(server, writer, api, monkeypatch):
    """The negative control of the test above: marks held back, and the guard taken away."""
    monkeypatch.setattr(bus_module, "MARK_S", 2.0)
    monkeypatch.setattr(bus_module, "_follows", lambda at, before: True)
    ear = await listening(api)
    await lose_one(server)
    publish(writer, 2)
    await until(lambda: ear.told)
    assert ear.told == [2]


async def test_a_loss_at_the_end_is_noticed_with_the_next_mark(server, writer, api):
    ear = await listening(api)
    await lose_one(server)
    await until(lambda: ear.told)
    await marks(server, 2)
    assert ear.told == [True]


async def test_a_subscription_that_was_cut_is_made_again_and_noticed(server, writer, api):
    ear = await listening(api)
    assert await ask(server, "CLIENT", "KILL", "TYPE", "pubsub") == 1
    publish(writer, 1)
    # Told anew or not: the news may come before or after the subscription is made again.
    await until(lambda: any(told is True for told in ear.told))
    assert ear.told[:2] == [False, True]
    ear.told.clear()
    # The first finds the writer believing that nobody listens.
    for number in (2, 3):
        publish(writer, number)
        await until(lambda: ear.told)
    await until(lambda: 3 in ear.told)


async def test_a_server_that_died_is_noticed_and_found_again(server, writer, api):
    ear = await listening(api)
    with capture_logs() as logs:
        server.kill()
        await until(lambda: ear.told)
        assert ear.told == [False]
        assert REDIS_AWAY.labels("listening")._value.get() == 1
        late = Ear(api, BETA)
        assert late.told == [False]
        publish(writer, 1)
        server.start()
        await until(lambda: True in ear.told and True in late.told)
        # Told again and again while it lasts, by whoever wants to hear it.
        assert set(ear.told[: ear.told.index(True)]) == {False}
        await until(lambda: REDIS_AWAY.labels("news")._value.get() == 0)
    assert sorted((line["event"], line["part"]) for line in logs) == [
        ("redis_away", "listening"), ("redis_away", "news"), ("redis_back", "listening"), ("redis_back", "news"),
    ]  # fmt: skip
    await marks(server, 2)
    ear.told.clear()
    publish(writer, 2)
    await until(lambda: 2 in ear.told)


async def test_a_server_that_lost_its_memory_alone_is_noticed(server, writer, api):
    ear = await listening(api)
    publish(writer, 1)
    await until(lambda: ear.told == [1])
    await ask(server, "FLUSHALL")
    publish(writer, 2)
    await until(lambda: True in ear.told)
    await until(lambda: 2 in ear.told)


async def test_a_server_that_does_not_answer_holds_up_nobody_and_what_was_dropped_is_noticed(
    server, writer, api, monkeypatch
):
    monkeypatch.setattr(writer._telling, "_queue_bytes", 1_000_000)
    ear = await listening(api)
    dropped = NEWS_DROPPED._value.get()
    server.pause()
    began = time.monotonic()
    for number in range(300):
        publish(writer, number, events=200)
    assert time.monotonic() - began < 5
    assert NEWS_DROPPED._value.get() > dropped
    assert writer._telling._bytes < 1_100_000
    await until(lambda: False in ear.told)
    server.resume()
    await until(lambda: True in ear.told)
    ear.told.clear()
    await until(lambda: not writer._telling._outage.on)
    await marks(server, 2)
    publish(writer, 1_000)
    await until(lambda: 1_000 in ear.told)


async def test_a_full_queue_is_noticed_without_an_outage(server, writer, api, monkeypatch):
    ear = await listening(api)
    monkeypatch.setattr(writer._telling, "_queue_bytes", 100)
    for number in range(5):
        publish(writer, number)
    await until(lambda: True in ear.told)
    assert ear.told.count(0) == 1
    assert len([number for number in ear.told if number is not True]) < 5


async def test_a_process_that_starts_may_follow_one_that_died_untold(server, api):
    ear = await listening(api)
    other = RedisBus(server.url)
    await other.start()
    await until(lambda: ear.told)
    assert ear.told == [True]
    await other.stop()


async def test_a_redelivered_message_may_have_been_settled_without_a_word(writer, api):
    ear = await listening(api)
    publish(writer, 1, redelivered=True)
    await until(lambda: ear.told)
    assert ear.told == [True]


async def test_nothing_is_made_or_sent_where_nobody_listens_and_who_comes_misses_nothing(
    server, writer, api, monkeypatch
):
    made = []
    monkeypatch.setattr(bus_module, "encode_news", lambda *news: made.append(news[0]) or encode_news(*news))
    publish(writer, 1, events=100)
    await until(lambda: writer._telling._unheard == {channel_of(ACME)})
    assert len(made) == 1
    for number in range(2, 5):
        publish(writer, number, events=100)
    async with asyncio.timeout(DEADLINE_S):
        while await ask(server, "HGET", COUNTS[1], channel_of(ACME)) != b"4":
            await asyncio.sleep(0.005)
    assert len(made) == 1
    ear = await listening(api)
    for number in range(5, 8):
        publish(writer, number)
    await until(lambda: len(ear.told) >= 3)
    assert ear.told == [5, 6, 7]
    assert writer._telling._unheard == set()


async def test_news_of_a_form_that_is_not_known_is_a_gap(server, writer, api, monkeypatch):
    ear = await listening(api)
    monkeypatch.setattr(bus_module, "encode_news", lambda *news: b"\x92" + encode_news(*news)[1:])
    publish(writer, 1)
    await until(lambda: ear.told)
    assert ear.told == [True]


async def test_who_has_left_is_not_subscribed_any_more(server, api):
    ears = [await listening(api), await listening(api, BETA)]
    assert len(await ask(server, "PUBSUB", "CHANNELS", NEWS + "[0-9]*")) == 2
    ears[0].end()
    async with asyncio.timeout(DEADLINE_S):
        while await ask(server, "PUBSUB", "CHANNELS", NEWS + "[0-9]*") != [b"tslice:news:2"]:
            await asyncio.sleep(0.005)


async def test_a_writer_that_only_tells_holds_one_connection(server, writer):
    listed = await ask(server, "CLIENT", "LIST")
    # The other is the one that asks.
    assert len(listed.splitlines()) == 2


async def test_stopping_tells_what_is_left(server, api):
    ear = await listening(api)
    bus = RedisBus(server.url)
    await bus.start()
    for number in range(200):
        publish(bus, number)
    await bus.stop()
    await until(lambda: 199 in ear.told)


# ---------------------------------------------------------------------------------------------------------- changes
async def test_a_change_reaches_the_other_processes(server, writer, api):
    changed = []
    api.on_change(changed.append)
    await until(lambda: changed == [None])
    writer.tell_change(BETA)
    await until(lambda: len(changed) > 1)
    assert changed == [None, BETA]


async def test_a_change_that_may_have_been_missed_is_everybodys(server, writer, api):
    changed = []
    api.on_change(changed.append)
    await until(lambda: changed == [None])
    changed.clear()
    await ask(server, "HINCRBY", COUNTS[1], CHANGES, 1)
    await until(lambda: changed)
    assert changed == [None]
    changed.clear()
    server.kill()
    # While nothing is heard, nothing may be kept for long.
    await until(lambda: len(changed) >= 2)
    server.start()
    await until(lambda: not api._outage.on)
    assert set(changed) == {None}
    writer_back = RedisBus(server.url)
    await writer_back.start()
    await marks(server, 2)
    changed.clear()
    writer_back.tell_change(ACME)
    await until(lambda: ACME in changed)
    await writer_back.stop()


# ---------------------------------------------------------------------------------------------------------- the hub
async def test_watchers_see_a_gap_and_an_outage(server, writer, api):
    hub = Hub(api)
    watcher = hub.watch(ACME)
    await watcher.begun(DEADLINE_S)
    frames = watcher.frames()
    publish(writer, 1)
    async with asyncio.timeout(DEADLINE_S):
        assert [reading.value for reading in await anext(frames)] == [1.0]
        await lose_one(server)
        assert await anext(frames) == ()
        assert not watcher.deaf
        server.kill()
        assert await anext(frames) == ()
        assert watcher.deaf
        second = hub.watch(ACME)
        assert second.deaf
        server.start()
        assert await anext(frames) == ()
        assert not watcher.deaf
    assert not second.deaf


WRITER = """
import asyncio, sys
from telemetry_slice.engines.redis.bus import RedisBus
from telemetry_slice.model.events import EventBatch, Kind, Message, Settlement

async def main():
    bus = RedisBus(sys.argv[1])
    await bus.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    batch = EventBatch(1, 77, [bytes(16)], [None], [1], ["d"], [1], [1], [(("t", "C", Kind.NUMBER, 1.5),)])
    told = Message(bytes.fromhex(sys.argv[2]), 4, (batch,), wants_outcome=True)
    bus.publish(told, Settlement((b"\\x02",), {(0, 0): "conflict"}, 9))
    await bus.stop()

asyncio.run(main())
"""


async def test_another_process_tells_news_and_outcomes(server, api):
    incarnation = b"gate" * 4
    outcomes = []
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-c", WRITER, server.url, incarnation.hex()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    try:
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        api.await_outcome(Message(incarnation, 4, (), wants_outcome=True), outcomes.append)
        ear = await listening(api)
        process.stdin.write("\n")
        process.stdin.flush()
        await until(lambda: ear.told and outcomes)
        assert ear.told == [77]
        assert outcomes == [Settlement((b"\x02",), {(0, 0): "conflict"}, 9)]
        assert await asyncio.to_thread(process.wait, DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
