import asyncio
from dataclasses import replace

import pytest

from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import KeyKind, Scope
from telemetry_slice.ports.credentials import ExpiringKey
from telemetry_slice.ports.registry import KeyRecord


def key(tenant, key_id, clock, device=None, **more):
    return KeyRecord(
        **{
            "key_id": key_id,
            "kind": KeyKind.DEVICE if device else KeyKind.SERVICE,
            "tenant": tenant,
            "device_no": device.no if device else None,
            "device_id": device.id if device else None,
            "name": "a name",
            "scopes": frozenset({Scope.READ, Scope.INGEST}),
            "addresses": ("192.0.2.0/24", "2001:db8::/32"),
            "mac": bytes(range(32)),
            "created_us": clock.us,
            "expires_us": None,
            "revoked_us": None,
            "last_used_us": None,
            **more,
        }
    )


@pytest.fixture
async def device(registry, acme):
    return await registry.devices.create(acme.no, "dev-1", label="", location="", tags=())


async def refused(waiting, code):
    with pytest.raises(SliceError) as refusal:
        await waiting
    assert refusal.value.code == code


async def test_a_key_is_kept_whole(registry, acme, device, clock):
    for record in (key(acme, "service", clock, expires_us=clock.us + 1), key(acme, "device", clock, device)):
        await registry.keys.add(record)
        assert await registry.keys.find(record.key_id) == record
    assert await registry.keys.find("unknown") is None
    found = await registry.keys.find_many(["device", "unknown", "service"])
    assert set(found) == {"device", "service"}
    assert found["device"] == record
    assert await registry.keys.find_many([]) == {}


async def test_keys_are_listed_newest_first_by_owner(registry, acme, beta, device, clock):
    for number in range(3):
        await registry.keys.add(key(acme, f"tenant-{number}", clock))
        clock.advance(1)
    await registry.keys.add(key(acme, "device", clock, device))
    await registry.keys.add(key(beta, "other", clock))
    assert [k.key_id for k in await registry.keys.list(acme.no, None)] == ["tenant-2", "tenant-1", "tenant-0"]
    assert [k.key_id for k in await registry.keys.list(acme.no, "dev-1")] == ["device"]
    assert await registry.keys.list(beta.no, "dev-1") == []


async def test_a_device_has_at_most_two_live_keys(registry, acme, device, clock):
    await registry.keys.add(key(acme, "one", clock, device))
    await registry.keys.add(key(acme, "two", clock, device, expires_us=clock.us + 10_000_000))
    await refused(registry.keys.add(key(acme, "three", clock, device)), Code.CONFLICT)
    assert await registry.keys.find("three") is None
    clock.advance(10)
    await registry.keys.add(key(acme, "three", clock, device))
    await refused(registry.keys.add(key(acme, "four", clock, device)), Code.CONFLICT)
    await registry.keys.revoke(acme.no, "one")
    await registry.keys.add(key(acme, "four", clock, device))


async def test_keys_added_at_once_are_counted(registry, acme, device, clock):
    adding = [registry.keys.add(key(acme, f"key-{n}", clock, device)) for n in range(6)]
    results = await asyncio.gather(*adding, return_exceptions=True)
    assert [isinstance(result, SliceError) for result in results].count(False) == 2


async def test_a_deleted_device_gets_no_key(registry, acme, device, clock):
    await registry.devices.delete(acme.no, "dev-1")
    await refused(registry.keys.add(key(acme, "one", clock, device)), Code.NOT_FOUND)


async def test_replacing_lets_the_old_key_end(registry, acme, device, clock):
    await registry.keys.add(key(acme, "old", clock, device))
    later = clock.us + 60_000_000
    await registry.keys.add(key(acme, "new", clock, device), replaces=("old", later))
    assert (await registry.keys.find("old")).expires_us == later
    await registry.keys.add(key(acme, "newer", clock, device), replaces=("new", clock.us))
    assert (await registry.keys.find("new")).expires_us == clock.us


async def test_replacing_never_lengthens_a_life(registry, acme, clock):
    soon = clock.us + 1_000_000
    await registry.keys.add(key(acme, "old", clock, expires_us=soon))
    await registry.keys.add(key(acme, "new", clock), replaces=("old", clock.us + 60_000_000))
    assert (await registry.keys.find("old")).expires_us == soon


async def test_certificates_are_counted_apart_from_keys(registry, acme, beta, device, clock):
    for number in range(2):
        await registry.keys.add(key(acme, f"key {number}", clock, device))
        certificate = key(acme, f"certificate {number}", clock, device, kind=KeyKind.CERTIFICATE)
        await registry.keys.add(certificate)
        assert await registry.keys.find(certificate.key_id) == certificate
    for kind in (KeyKind.DEVICE, KeyKind.CERTIFICATE):
        await refused(registry.keys.add(key(acme, "third", clock, device, kind=kind)), Code.CONFLICT)
    # Whose it was first, it is, also when it has ended.
    theirs = await registry.devices.create(beta.no, "dev-1", label="", location="", tags=())
    taken = key(beta, "certificate 0", clock, theirs, kind=KeyKind.CERTIFICATE)
    await refused(registry.keys.add(taken), Code.CONFLICT)
    await registry.keys.revoke(acme.no, "certificate 0")
    await refused(registry.keys.add(taken), Code.CONFLICT)
    assert (await registry.keys.find("certificate 0")).tenant.id == acme.id


async def test_a_failed_replacement_changes_nothing(registry, acme, beta, device, clock):
    await registry.keys.add(key(acme, "one", clock, device))
    await registry.keys.add(key(acme, "two", clock, device))
    await refused(
        registry.keys.add(key(acme, "three", clock, device), replaces=("one", clock.us + 1_000_000)), Code.CONFLICT
    )
    assert (await registry.keys.find("one")).expires_us is None
    await registry.keys.add(key(acme, "tenant", clock))
    await refused(registry.keys.add(key(beta, "theirs", clock), replaces=("tenant", clock.us)), Code.CONFLICT)
    await registry.keys.revoke(acme.no, "tenant")
    await refused(registry.keys.add(key(acme, "next", clock), replaces=("tenant", clock.us)), Code.CONFLICT)


async def test_a_key_is_revoked_once_by_its_tenant(registry, acme, beta, clock):
    record = key(acme, "one", clock)
    await registry.keys.add(record)
    assert not await registry.keys.revoke(beta.no, "one")
    clock.advance(3)
    assert await registry.keys.revoke(acme.no, "one")
    revoked_us = clock.us
    clock.advance(3)
    assert not await registry.keys.revoke(acme.no, "one")
    assert await registry.keys.find("one") == replace(record, revoked_us=revoked_us)


async def test_use_is_remembered(registry, acme, clock):
    for key_id in ("one", "two"):
        await registry.keys.add(key(acme, key_id, clock))
    await registry.keys.touch([("one", 5, "192.0.2.1"), ("two", 7, None), ("unknown", 9, "::1")])
    await registry.keys.touch([])
    # Of two processes the slower one writes last.
    await registry.keys.touch([("one", 4, "192.0.2.4")])
    found = [await registry.keys.find(key_id) for key_id in ("one", "two")]
    assert [(each.last_used_us, each.last_address) for each in found] == [(5, "192.0.2.1"), (7, None)]
    await registry.keys.touch([("one", 6, "::1"), ("one", 8, "192.0.2.8"), ("one", 7, None)])
    (listed,) = [each for each in await registry.keys.list(acme.no, None) if each.key_id == "one"]
    assert (listed.last_used_us, listed.last_address) == (8, "192.0.2.8")


async def test_keys_that_end_soon_are_told_once(registry, acme, beta, device, clock):
    day = 86_400_000_000
    soon = clock.us + 14 * day
    await registry.keys.add(key(acme, "for ever", clock))
    await registry.keys.add(key(acme, "later", clock, expires_us=soon + 1))
    await registry.keys.add(key(acme, "over", clock, expires_us=clock.us))
    await registry.keys.add(key(acme, "revoked", clock, expires_us=soon))
    await registry.keys.revoke(acme.no, "revoked")
    await registry.keys.add(key(acme, "device's", clock, device, expires_us=soon))
    await registry.keys.add(key(beta, "beta's", clock, expires_us=soon - 1))
    await registry.keys.add(key(acme, "replaced", clock, expires_us=soon))
    await registry.keys.add(key(acme, "next", clock), replaces=("replaced", clock.us + day))
    assert (await registry.keys.find("replaced")).replaced_by == "next"
    ending = registry.credentials.expiring
    count, first = await ending.soon(clock.us, soon, 1)
    assert (count, [each.key_id for each in first]) == (2, ["beta's"])
    assert await ending.soon(clock.us, soon, 9) == (
        2,
        [
            ExpiringKey("beta's", KeyKind.SERVICE, beta, None, "a name", soon - 1),
            ExpiringKey("device's", KeyKind.DEVICE, acme, "dev-1", "a name", soon),
        ],
    )
    told = await asyncio.gather(*(ending.warn(clock.us, soon, 9) for _ in range(4)))
    assert sorted(each.key_id for some in told for each in some) == ["beta's", "device's"]
    await registry.keys.add(key(acme, "another", clock, expires_us=soon))
    assert [each.key_id for each in await ending.warn(clock.us, soon, 9)] == ["another"]
    assert await ending.warn(clock.us, soon, 9) == []
