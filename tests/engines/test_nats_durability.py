"""What a server acknowledges is on the disk, and one that does not wait for the disk is refused."""

import asyncio
import re
import shutil
import signal
import subprocess
import time

import pytest
from deploy.local.nats import NatsServer
from tests.engines.nats_lanes import lane_of, lease, message, opened

from telemetry_slice.engines.nats.envelope import Sealed, largest_message_bytes
from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.engines.nats.safety import UnsafeQueueError
from telemetry_slice.engines.nats.settings import LaneSettings
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import Kind

PUTS = 25


async def refusal(settings):
    queue = JetStreamQueue(settings)
    try:
        with pytest.raises(UnsafeQueueError) as raised:
            await queue.start()
    finally:
        await queue.close(drain_s=0)
    return str(raised.value)


@pytest.fixture(scope="module")
def lazy_server(tmp_path_factory):
    with NatsServer(tmp_path_factory.mktemp("lazy"), sync_interval="2m") as server:
        yield server


async def test_a_server_that_syncs_later_is_refused(lazy_server):
    said = await refusal(lane_of(lazy_server))
    assert "sync_interval is 120 s and must be always" in said
    assert lazy_server.monitor_url in said


async def test_a_server_that_cannot_be_looked_at_is_refused_unless_told_otherwise(nats_server, lazy_server):
    assert "no monitoring address" in await refusal(lane_of(nats_server, monitor_url=None))
    async with opened(lane_of(lazy_server, monitor_url=None, durability_assumed=True)) as queue:
        await queue.put(message(1))


async def test_the_monitoring_address_of_another_server_is_seen(nats_server, lazy_server):
    said = await refusal(lane_of(lazy_server, monitor_url=nats_server.monitor_url))
    assert "none of those whose monitoring addresses are given" in said


async def test_every_server_named_is_looked_at(nats_server, lazy_server):
    both = f"{nats_server.monitor_url},{lazy_server.monitor_url}/"
    assert lazy_server.monitor_url in await refusal(lane_of(nats_server, monitor_url=both))


async def test_a_monitoring_address_that_does_not_answer_is_no_yes(nats_server):
    queue = JetStreamQueue(lane_of(nats_server, monitor_url="http://127.0.0.1:1"))
    with pytest.raises(UnavailableError, match="monitoring"):
        await queue.start()


async def test_a_payload_that_cannot_hold_a_full_request_is_refused(nats_server, tmp_path):
    with NatsServer(tmp_path, max_payload=1 << 20) as small:
        said = await refusal(lane_of(small, max_message_bytes=2 << 20))
        assert "max_payload is 1048576" in said
        # The client is told as well, when nobody may look.
        blind = lane_of(small, monitor_url=None, durability_assumed=True, max_message_bytes=2 << 20)
        assert "max_payload is 1048576" in await refusal(blind)


async def test_the_largest_message_passes_in_one_piece(nats_server):
    largest = largest_message_bytes(8 << 20, 1_000)
    async with opened(lane_of(nats_server, max_message_bytes=largest, max_bytes=64 << 20, timeout_s=10)) as queue:
        big = message(1, 1_000)
        big.batches[0].measurements[:] = [(("t", None, int(Kind.STRING), "x" * 24_000),)] * 1_000
        assert largest * 0.9 < Sealed(big).size_bytes <= largest
        for each in (big, message(2)):
            await queue.put(each)
        leased = await lease(queue)
        if len(leased) < 2:
            leased += await lease(queue)
        assert leased == [big, message(2)]


async def test_a_stream_that_keeps_in_memory_is_refused(nats_server):
    settings = lane_of(nats_server)
    async with opened(lane_of(nats_server)) as other:
        streams = other._connection.session.client.jetstream()
        await streams.add_stream(name=settings.stream, subjects=[settings.subject], storage="memory", max_bytes=1 << 20)
        assert "storage is memory" in await refusal(settings)


async def test_a_stream_with_other_bounds_is_adjusted(nats_server):
    settings = lane_of(nats_server, max_bytes=1 << 20)
    async with opened(settings) as queue:
        await queue.put(message(1))
    grown = lane_of(nats_server, lane=settings.lane, max_bytes=2 << 20)
    async with opened(grown) as queue:
        config = (await queue._connection.session.client.jetstream().stream_info(settings.stream)).config
        assert (config.max_bytes, config.discard, config.retention) == (2 << 20, "new", "workqueue")
        assert [each.sequence for each in await queue.held()] == [1]


async def test_no_server_is_an_error_in_time(nats_server):
    settings = lane_of(nats_server, urls=("nats://127.0.0.1:1",), timeout_s=1)
    began = time.monotonic()
    with pytest.raises(UnavailableError):
        await JetStreamQueue(settings).start()
    assert time.monotonic() - began < 15


# ------------------------------------------------------------------------------------------------------- fsync
async def syncs_behind_puts(server, trace, **settings):
    """Put one after another; how many have a sync of the server between call and return."""
    strace = shutil.which("strace")
    assert strace, "strace is not installed"
    async with opened(lane_of(server, **settings)) as queue:
        await queue.put(message(1))
        tracer = subprocess.Popen(  # noqa: ASYNC220  # starting strace takes a moment that nobody waits for
            [
                strace,
                "-f",
                "-ttt",
                "-e",
                "trace=fsync,fdatasync",
                "-o",
                trace,
                "-p",
                str(server.pid),
            ],
            stderr=subprocess.PIPE,
        )
        try:
            assert b"attached" in await asyncio.to_thread(tracer.stderr.readline)
            spans = []
            for number in range(2, PUTS + 2):
                began = time.time()
                await queue.put(message(number))
                spans.append((began, time.time()))
        finally:
            tracer.send_signal(signal.SIGINT)
            await asyncio.to_thread(tracer.communicate, timeout=20)
    calls = re.finditer(r"^(?:\d+ +)?(\d+\.\d+) f(?:data)?sync\(", trace.read_text(), re.MULTILINE)
    moments = [float(found[1]) for found in calls]
    return sum(any(began <= moment <= ended for moment in moments) for began, ended in spans)


async def test_every_put_is_behind_a_sync(tmp_path):
    with NatsServer(tmp_path / "nats") as server:
        assert await syncs_behind_puts(server, tmp_path / "trace") == PUTS


async def test_a_server_that_does_not_wait_for_the_disk_is_caught(tmp_path):
    """The negative control: the same with a server that syncs every two minutes."""
    with NatsServer(tmp_path / "nats", sync_interval="2m") as server:
        seen = await syncs_behind_puts(server, tmp_path / "trace", monitor_url=None, durability_assumed=True)
        assert seen < PUTS


@pytest.mark.parametrize("lane", ["", "a.b", "a b", "*", "a-poison", "x" * 65])
def test_a_lane_that_cannot_be_a_subject_is_refused(lane):
    with pytest.raises(ValueError, match="lane"):
        LaneSettings(("nats://127.0.0.1:4222",), lane=lane)
