"""PostgreSQL and Valkey are both away: the queue is up, and goes on taking the events of devices that are known."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from deploy.local.nats import NatsServer
from deploy.local.postgres import LocalPostgres, install_on
from deploy.local.valkey import Valkey

from telemetry_slice.engines.inprocess import TokenBuckets
from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.engines.nats.settings import LaneSettings
from telemetry_slice.engines.postgres.registry import open_registry
from telemetry_slice.engines.redis.bus import RedisBus
from telemetry_slice.flow.gate import devices
from telemetry_slice.flow.gate.admit import Gate, GateSettings, Receipt
from telemetry_slice.flow.gate.decode import decode
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.tenancy import DeviceKey, GatewayKey, KeyPrincipal


@dataclass
class Site:
    """A gate over real servers, of which two can be taken away."""

    postgres: LocalPostgres
    valkey: Valkey
    gate: Gate
    registry: Any
    gateway: GatewayKey
    clock: Any
    doubts: list[Any]

    async def accept(self, device: str, principal: KeyPrincipal | None = None) -> Receipt:
        body = {"eventId": os.urandom(8).hex(), "deviceId": device, "recordedAt": 1, "type": "t", "value": 1.0}
        events = decode(json.dumps(body).encode(), 1, ndjson=False, max_events=10)
        return await self.gate.accept(principal or self.gateway, events, self.clock.now_us())

    async def lose_both(self) -> None:
        """Until the gate has been told several times that it may have missed changes."""
        self.postgres.kill()
        self.valkey.kill()
        await self.doubt()

    async def doubt(self) -> None:
        before = len(self.doubts)
        await until(lambda: len(self.doubts) >= before + 3)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def postgres_alone() -> Iterator[LocalPostgres]:
    """A server that may be killed."""
    with LocalPostgres() as server:
        yield server


@pytest.fixture
async def site(postgres_alone: LocalPostgres, nats_server: NatsServer, clock: Any) -> AsyncIterator[Site]:
    lane = LaneSettings(
        (nats_server.url,), "both-away-" + os.urandom(4).hex(), nats_server.monitor_url, max_bytes=16 << 20
    )
    registry = open_registry(install_on(postgres_alone, f"away_{os.urandom(4).hex()}").api_url, clock)
    queue = JetStreamQueue(lane)
    with Valkey() as valkey:
        bus = RedisBus(valkey.url)
        gate = Gate(queue, registry.devices, TokenBuckets(clock.monotonic), bus, clock, GateSettings())
        doubts: list[Any] = []
        bus.on_change(gate.forget_devices)
        bus.on_change(doubts.append)
        await queue.start()
        await bus.start()
        tenant = await registry.tenants.create("acme", "Acme")
        try:
            await until(lambda: bool(doubts))
            yield Site(postgres_alone, valkey, gate, registry, GatewayKey(tenant, "key"), clock, doubts)
        finally:
            await queue.close(0)
            await bus.stop()
            registry.close()
            postgres_alone.stop()
            postgres_alone.start()


@pytest.mark.timeout(240)
async def test_known_devices_go_on_for_a_while(site: Site) -> None:
    """For ten minutes; unknown devices cannot be looked up; what was changed meanwhile is seen when both are back."""
    device = (await site.registry.devices.register(site.gateway.tenant.no, ["own"]))["own"]
    own = DeviceKey(site.gateway.tenant, "own key", device.no, device.id)
    numbers = [(await site.accept(name)).batch.devices for name in ("dev-1", "deleted meanwhile")]
    assert (await site.accept("own", own)).accepted == 1
    await site.lose_both()
    for _ in range(20):
        assert [(await site.accept(name)).batch.devices for name in ("dev-1", "deleted meanwhile")] == numbers
        assert (await site.accept("own", own)).accepted == 1
        site.clock.advance(20)
    await site.doubt()
    assert (await site.accept("dev-1")).accepted == 1
    with pytest.raises(UnavailableError):
        await site.accept("unknown")
    site.clock.advance(devices.OUTAGE_US / 1e6)
    with pytest.raises(UnavailableError):
        await site.accept("dev-1")

    site.postgres.start()
    assert await site.registry.devices.delete(site.gateway.tenant.no, "deleted meanwhile")
    assert (await site.accept("dev-1")).batch.devices == numbers[0]
    (refused,) = (await site.accept("deleted meanwhile")).rejected
    assert refused.code == "device_deleted"
    # The next outage has its own ten minutes.
    site.postgres.kill()
    await site.doubt()
    assert (await site.accept("dev-1")).accepted == 1
    assert [rejected.code for rejected in (await site.accept("deleted meanwhile")).rejected] == ["device_deleted"]


@pytest.mark.timeout(240)
async def test_without_trust_they_would_be_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: what is doubted and cannot be looked up stops the ingest of every device."""
    assert (await site.accept("dev-1")).accepted == 1
    await site.lose_both()
    monkeypatch.setattr(devices._Known, "trusted", lambda *_: None)
    with pytest.raises(UnavailableError):
        await site.accept("dev-1")


@pytest.mark.timeout(240)
async def test_a_change_that_was_told_is_not_doubted(site: Site) -> None:
    """A device that is known to have changed is looked up, or refused."""
    assert (await site.accept("dev-1")).accepted == 1
    site.gate.forget_devices(site.gateway.tenant.no)
    await site.lose_both()
    with pytest.raises(UnavailableError):
        await site.accept("dev-1")


@pytest.mark.timeout(240)
async def test_what_was_known_long_ago_is_not_trusted(site: Site) -> None:
    """A device that has not been looked up for a day is looked up, or refused."""
    assert (await site.accept("dev-1")).accepted == 1
    await site.lose_both()
    site.clock.advance(devices.OUTAGE_KNOWN_US / 1e6 + 3_601)
    with pytest.raises(UnavailableError):
        await site.accept("dev-1")
