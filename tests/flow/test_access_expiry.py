"""Keys that end soon are counted, and told to the audit of their tenant once."""

import pytest

from telemetry_slice.flow.access import ExpiryWatch
from telemetry_slice.model.audit import ActorKind
from telemetry_slice.model.tenancy import KeyKind, Scope
from telemetry_slice.model.times import DAY_US, rfc3339
from telemetry_slice.observe import KEYS_EXPIRING


@pytest.fixture
def watch(registry, clock):
    return ExpiryWatch(registry.credentials.expiring, registry.audit, clock, 14 * DAY_US)


async def told(registry, tenant):
    return await registry.audit.page(tenant.no, limit=100)


async def test_a_key_is_told_once_and_counted_until_it_is_replaced(watch, access, registry, acme, beta, clock):
    device = await registry.devices.create(acme.no, "dev-1", label="", location="", tags=())
    ends = clock.us + 20 * DAY_US
    key, _ = await access.keys.issue(acme, KeyKind.DEVICE, device=device, name="pump", expires_us=ends)
    await access.keys.issue(beta, KeyKind.SERVICE, scopes=frozenset({Scope.READ}))
    await watch.look()
    assert (KEYS_EXPIRING._value.get(), await told(registry, acme)) == (0, [])
    clock.advance(7 * 86_400)
    for _ in range(2):
        await watch.look()
        assert KEYS_EXPIRING._value.get() == 1
    (record,) = await told(registry, acme)
    entry = record.entry
    assert (entry.actor.kind, entry.action, entry.resource, entry.target) == (
        ActorKind.SYSTEM,
        "warn of",
        "device keys",
        key.key_id,
    )
    assert entry.detail == {"kind": "device", "device": "dev-1", "name": "pump", "expiresAt": rfc3339(ends)}
    assert await told(registry, beta) == []
    await access.keys.rotate(key, clock.us + DAY_US)
    await watch.look()
    assert KEYS_EXPIRING._value.get() == 0


async def test_many_are_told_step_by_step(watch, access, registry, acme, clock):
    for _ in range(3):
        await access.keys.issue(acme, KeyKind.GATEWAY, expires_us=clock.us + DAY_US)
    await watch.look()
    assert len(await told(registry, acme)) == 3
