"""Three servers, three copies: one may die, then another, and nothing that was acknowledged is missing."""

import asyncio
import contextlib
from uuid import uuid4

import pytest
from deploy.local.nats import NatsCluster, NatsServer, wait_until
from structlog.testing import capture_logs
from tests.engines.nats_lanes import drain, held, message, opened, until

from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.engines.nats.safety import UnsafeQueueError
from telemetry_slice.engines.nats.settings import LaneSettings
from telemetry_slice.model.errors import UnavailableError


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with NatsCluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def lane_of(cluster, **changes):
    return LaneSettings(
        **(
            {
                "urls": cluster.urls,
                "lane": uuid4().hex,
                "monitor_url": cluster.monitor_url,
                "replicas": 3,
                "max_bytes": 16 << 20,
                "timeout_s": 5,
            }
            | changes
        )
    )


async def test_one_server_dies_then_another(cluster):
    settings = lane_of(cluster, ack_wait_s=3)
    acknowledged, seen, numbers = set(), [], iter(range(1, 1_000_000))
    async with opened(settings) as gate, opened(settings) as writer:

        async def send():
            while True:
                number = next(numbers)
                with contextlib.suppress(UnavailableError):
                    await gate.put(message(number))
                    acknowledged.add(number)

        async def write():
            while True:
                leased = await writer.lease(20)
                seen.extend(each.sequence for each in leased)
                await writer.ack(leased)

        async def progress():
            return len(acknowledged) > before + 20

        working = [asyncio.create_task(send()), asyncio.create_task(write())]
        before = 0
        await until(progress)
        for victim in cluster.servers[:2]:
            before = len(acknowledged)
            victim.kill()
            await until(progress, 60)
            victim.launch()
            before = len(acknowledged)
            await until(progress, 60)
            await asyncio.to_thread(settle, cluster)
        working[0].cancel()
        await asyncio.gather(working[0], return_exceptions=True)

        async def settled():
            return acknowledged <= set(seen) and await held(gate) == []

        await until(settled, 60)
        working[1].cancel()
        await asyncio.gather(working[1], return_exceptions=True)
    assert len(acknowledged) > 100


async def keep(queue, number):
    """Put as a sender does, who asks again while the servers elect another leader."""

    async def kept():
        await queue.put(message(number))
        return True

    await until(kept, 60)


def settle(cluster):
    for server in cluster.servers:
        wait_until(server.is_ready, "a server that came back")


async def test_a_server_that_is_down_is_no_reason_not_to_reconnect(cluster):
    settings = lane_of(cluster, timeout_s=2)
    numbers = iter(range(2, 1_000))
    async with opened(settings) as queue:
        await queue.put(message(1))
        connected = queue._connection.session.client.connected_url.port
        victim = next(server for server in cluster.servers if server.port == connected)
        victim.kill()
        try:

            async def kept():
                await queue.put(message(next(numbers)))
                return True

            await until(kept, 60)
            wanted = list(range(1, next(numbers)))
            assert sorted(set(await drain(queue, wanted))) == wanted
        finally:
            await asyncio.to_thread(victim.start)


async def test_a_role_starts_while_a_server_is_down(cluster):
    settings = lane_of(cluster, recheck_s=0.2)
    async with opened(settings) as queue:
        await keep(queue, 1)
    victim, other, _ = cluster.servers
    victim.kill()
    try:
        async with opened(settings) as queue:
            (silent,) = await queue.silent_servers()
            assert victim.monitor_url in silent
            await keep(queue, 2)
            assert sorted(set(await drain(queue, [1, 2]))) == [1, 2]
            # The negative control: one of three may be unsafe, and nobody would know.
            other.kill()
            late = JetStreamQueue(settings)
            with pytest.raises(UnavailableError):
                await late.start()
            await late.close(drain_s=0)
    finally:
        for server in (victim, other):
            server.launch()
        await asyncio.to_thread(settle, cluster)


async def test_a_server_that_comes_back_unsafe_is_seen(cluster):
    settings = lane_of(cluster, recheck_s=0.2)
    async with opened(settings) as queue:
        await keep(queue, 1)
    victim = cluster.servers[0]
    victim.kill()
    config = victim.folder / "nats.conf"
    safe = config.read_text()
    try:
        async with opened(settings) as queue:
            await keep(queue, 2)
            config.write_text(safe.replace('sync_interval: "always"', 'sync_interval: "2m"'))
            assert config.read_text() != safe
            victim.launch()

            with capture_logs() as told:

                async def refused():
                    # An election interrupts, too, but not for this.
                    return any("sync_interval" in str(entry.get("error")) for entry in told)

                await until(refused, 60)
            with pytest.raises(UnavailableError):
                await queue.put(message(3))
            victim.kill()
            config.write_text(safe)
            victim.launch()
            await keep(queue, 4)
    finally:
        victim.kill()
        config.write_text(safe)
        victim.launch()
        await asyncio.to_thread(settle, cluster)


async def test_a_server_of_no_cluster_is_not_taken_for_the_one_that_is_down(cluster, tmp_path):
    victim = cluster.servers[0]
    victim.kill()
    try:
        with NatsServer(tmp_path, sync_interval="2m") as lone:
            queue = JetStreamQueue(lane_of(cluster, urls=(lone.url,), replicas=1))
            with pytest.raises(UnavailableError, match="could not be looked at"):
                await queue.start()
            await queue.close(drain_s=0)
    finally:
        victim.launch()
        await asyncio.to_thread(settle, cluster)


async def test_a_server_that_nobody_named_is_missed(cluster):
    queue = JetStreamQueue(lane_of(cluster, monitor_url=",".join(cluster.monitor_url.split(",")[:2])))
    with pytest.raises(UnsafeQueueError, match="2 of the 3 servers"):
        await queue.start()
    await queue.close(drain_s=0)
